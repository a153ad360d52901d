# The rights that the operator's Consul token needs, and no more. CLUSTER stands for the operator's cluster name: the
# setting LEADERGROUP_CLUSTER, else the first 8 characters of the uid of the kube-system namespace.
#
#   cluster=$(kubectl get namespace kube-system -o jsonpath='{.metadata.uid}' | cut -c1-8)
#   sed "s/CLUSTER/$cluster/" deploy/consul-policy.hcl | consul acl policy create -name leadergroup -rules -
#   consul acl token create -description leadergroup -policy-name leadergroup

# The catalog node that the sessions are bound to: registered once, at the operator's start.
node "leadergroup-CLUSTER" {
  policy = "write"
}

# The sessions of the members and of the operator replicas. Without this right Consul does not refuse to list sessions,
# it answers that there are none.
session "leadergroup-CLUSTER" {
  policy = "write"
}

# The operator's own locks and records.
key_prefix "leadergroup/CLUSTER/" {
  policy = "write"
}

# One more block for each prefix that the operator's setting lockKeys allows to groups, e.g.
#
#   key_prefix "jobs/" {
#     policy = "write"
#   }
#
# and once, so that the status can name whoever else holds such a key, on whatever node its session is:
#
#   session_prefix "" {
#     policy = "read"
#   }
