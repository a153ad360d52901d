/** The order in which the site shows the pages of docs. Each page is in it once: a test compares. */

export type Section = {
  readonly title: string;
  readonly pages: readonly { readonly title: string; readonly page: string }[];
};

export const navigation: readonly Section[] = [
  {
    title: 'Begin',
    pages: [
      { title: 'What it is', page: 'index.md' },
      { title: 'Concepts', page: 'concepts.md' },
      { title: 'Quick start', page: 'quick-start.md' },
      { title: 'When not to use it', page: 'comparison.md' },
      { title: 'Glossary', page: 'glossary.md' },
    ],
  },
  {
    title: 'How to',
    pages: [
      { title: 'Send each tick once', page: 'notifier.md' },
      { title: 'A cron job', page: 'how-to/cron-job.md' },
      { title: 'A single writer', page: 'how-to/single-writer.md' },
      { title: 'A Service for the leader only', page: 'how-to/leader-only-service.md' },
      { title: 'Which pod leads', page: 'how-to/preferences.md' },
      { title: 'Another condition than Ready', page: 'how-to/candidate-condition.md' },
      { title: 'Several clusters', page: 'how-to/several-clusters.md' },
      { title: 'Switch over', page: 'how-to/switch-over.md' },
      { title: 'Planned work', page: 'how-to/planned-work.md' },
      { title: 'Scale down, or delete the group', page: 'how-to/scale-and-delete.md' },
      { title: 'Argo CD and k9s', page: 'how-to/argo-cd-and-k9s.md' },
      { title: 'Install the kubectl plugin', page: 'how-to/install-the-plugin.md' },
      { title: 'The dashboard', page: 'how-to/dashboard.md' },
      { title: 'Verify a cluster', page: 'how-to/verify-a-cluster.md' },
      { title: 'Guard the leader label', page: 'how-to/guard-the-label.md' },
      { title: 'From a Lease sidecar', page: 'how-to/from-a-lease-sidecar.md' },
      { title: 'From readiness that follows the lead', page: 'how-to/from-leader-gated-readiness.md' },
      { title: 'From consul lock', page: 'how-to/from-consul-lock.md' },
    ],
  },
  {
    title: 'In the application',
    pages: [
      { title: 'Ask before you act', page: 'ask-before-you-act.md' },
      { title: 'Once per tick', page: 'claims.md' },
      { title: 'Schedulers', page: 'schedulers.md' },
      { title: 'Leader probe', page: 'leader-probe.md' },
      { title: 'Before a promotion', page: 'before-promotion.md' },
      { title: 'Lead the traffic of a Service', page: 'routing.md' },
      { title: 'The label and your workloads', page: 'labels.md' },
    ],
  },
  {
    title: 'Operations',
    pages: [
      { title: 'Install', page: 'install.md' },
      { title: 'Production readiness', page: 'operations.md' },
      { title: 'On call', page: 'on-call.md' },
      { title: 'Troubleshooting', page: 'troubleshooting.md' },
      { title: 'Observability', page: 'observability.md' },
      { title: 'What doctor finds', page: 'doctor/README.md' },
      { title: 'Runbooks', page: 'runbooks/README.md' },
      { title: 'Capacity', page: 'capacity.md' },
      { title: 'Performance', page: 'performance.md' },
      { title: 'Threat model', page: 'threat-model.md' },
      { title: 'Releases', page: 'releases.md' },
      { title: 'The promise for v1beta1', page: 'v1beta1.md' },
    ],
  },
  {
    title: 'Reference',
    pages: [
      { title: 'LeaderGroup', page: 'reference/leadergroup.md' },
      { title: 'What to wait for', page: 'conditions.md' },
      { title: 'Settings', page: 'reference/settings.md' },
      { title: 'Conditions', page: 'reference/conditions.md' },
      { title: 'Events and causes', page: 'reference/events.md' },
      { title: 'Metrics', page: 'reference/metrics.md' },
      { title: 'kubectl leadergroup', page: 'reference/kubectl-leadergroup.md' },
      { title: 'Licences', page: 'reference/licences.md' },
    ],
  },
  {
    title: 'Why it holds',
    pages: [
      { title: 'Guarantees', page: 'guarantees.md' },
      { title: 'Attacks', page: 'attacks.md' },
      { title: 'Architecture', page: 'architecture.md' },
      { title: 'Measurements', page: 'measurements.md' },
      { title: 'Mutants', page: 'mutants.md' },
      { title: 'Decisions', page: 'adr/README.md' },
    ],
  },
];
