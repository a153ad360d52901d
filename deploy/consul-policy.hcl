# The rights that the operator's Consul token needs, and no more. Replace CLUSTER by the operator's cluster name: the
# setting LEADERGROUP_CLUSTER, or else the first 8 characters of the uid of the kube-system namespace.
#
#   cluster=$(kubectl get namespace kube-system -o jsonpath='{.metadata.uid}' | cut -c1-8)
#   sed "s/CLUSTER/$cluster/" deploy/consul-policy.hcl | consul acl policy create -name leadergroup -rules -
#   consul acl token create -description leadergroup -policy-name leadergroup

# The catalog node of the sessions. The operator registers it once, when it starts.
node "leadergroup-CLUSTER" {
  policy = "write"
}

# The sessions of the members and of the operator replicas. Without this right Consul does not refuse to list sessions:
# it returns an empty list.
session "leadergroup-CLUSTER" {
  policy = "write"
}

# The operator's own locks and records, and what applications have claimed.
key_prefix "leadergroup/CLUSTER/" {
  policy = "write"
}

# Add a block for each prefix that the operator's setting lockKeys allows, e.g.
#
#   key_prefix "jobs/" {
#     policy = "write"
#   }
#
# and once this block, so that the status can name an external holder of such a key on any node:
#
#   session_prefix "" {
#     policy = "read"
#   }
