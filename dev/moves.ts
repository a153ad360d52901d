/**
 * `npm run moves`: how often planned work moves a lead, on average, beside the order that went before and beside the least that is possible. The figures
 * of docs/measurements.md.
 */
import { byRank, longestReady, type Moves, movesOf, type Order, type Work } from '../test/kit/simulation/moves.ts';
import {
  deploymentUpdate,
  nodeRestarts,
  nodeRoll,
  running,
  statefulSetUpdate,
} from '../test/kit/simulation/planned-work.ts';
import { script, wholeNumber } from './command-line.ts';

const { times } = script('moves', 'Prints how often rolling updates and rolls of nodes move a lead, on average.')
  .option('--times <number>', 'so often each, every time otherwise', wholeNumber(1), 300)
  .parse()
  .opts();

const deployment = (pods: number): Work => running({ pods, nodes: pods });
const stateful = (pods: number): Work => running({ pods, nodes: pods, stateful: true });

const WORKS: readonly (readonly [string, Work, Work])[] = [
  ...[3, 10].map(
    (pods) =>
      [
        `Deployment of ${pods}, updated, with deletion cost`,
        deployment(pods),
        deploymentUpdate({ cost: true }),
      ] as const,
  ),
  ...[3, 10].map(
    (pods) => [`Deployment of ${pods}, updated`, deployment(pods), deploymentUpdate({ cost: false })] as const,
  ),
  [
    'Deployment of 10, updated, a quarter unavailable',
    deployment(10),
    deploymentUpdate({ cost: false, unavailable: 0.25 }),
  ],
  ...[3, 5, 10].map((pods) => [`StatefulSet of ${pods}, updated`, stateful(pods), statefulSetUpdate] as const),
  ...[true, false].flatMap((surge) =>
    (
      [
        [3, 3],
        [20, 10],
      ] as const
    ).map(
      ([nodes, pods]) =>
        [
          `${nodes} nodes rolled, the new one ${surge ? 'first' : 'last'}, ${pods} pods`,
          running({ pods, nodes }),
          nodeRoll({ surge }),
        ] as const,
    ),
  ),
  [
    '3 nodes rolled, the new one last, 3 pods on a node each',
    running({ pods: 3, nodes: 3 }),
    nodeRoll({ surge: false, apart: true }),
  ],
  ...(
    [
      [3, 3],
      [20, 10],
    ] as const
  ).map(
    ([nodes, pods]) =>
      [`${nodes} nodes restarted in place, ${pods} pods`, running({ pods, nodes }), nodeRestarts] as const,
  ),
];

const mean = (values: readonly number[]): string =>
  (values.reduce((sum, value) => sum + value, 0) / values.length).toFixed(1);

function play(begin: Work, work: Work, order: Order): readonly Moves[] {
  return Array.from({ length: times }, (_, at) => movesOf(begin, work, order, `moves ${at}`));
}

console.log('| planned work | moves of the lead, mean | most | before | least possible |');
console.log('| --- | --- | --- | --- | --- |');
for (const [what, begin, work] of WORKS) {
  const now = play(begin, work, byRank());
  const moved = now.map((each) => each.moved);
  const before = play(begin, work, longestReady).map((each) => each.moved);
  console.log(
    `| ${what} | ${mean(moved)} | ${Math.max(...moved)} | ${mean(before)} | ${mean(now.map(({ least }) => least))} |`,
  );
}
