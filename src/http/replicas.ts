/** GET /replicas: which replicas there are and who has which buckets, for people and for scripts. */
import { type Route, textReply } from './router.ts';

/** `overview` answers at once with what this replica last saw; null while it has not begun. */
export const replicasRoute = (overview: () => unknown): Route => ({
  path: '/replicas',
  methods: ['GET'],
  handle: () => {
    const seen = overview();
    if (seen === null) return textReply(503, 'This replica is still starting.\n');
    return { status: 200, contentType: 'application/json', body: `${JSON.stringify(seen, null, 2)}\n` };
  },
});
