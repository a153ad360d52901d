/** The order in which files of tests begin: those that take minutes first, so that none of them runs alone at the end. */
import { basename } from 'node:path';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** Those of a minute or more; `npm test` prints what each takes. */
const LONG: readonly string[] = [
  'exploration',
  'clients',
  'adapters',
  'import-rules',
  'simulation',
  'once',
  'process',
  'drill',
  'cli',
  'bad-input',
  'attacks',
  'faults',
  'crd',
  'storm',
  'replicas',
  'bench',
  'login-outage',
  'rest',
  'habits',
  'chart',
  'cli-route',
  'preemption',
  'monitoring',
  'lifecycle',
  'gate',
];

export default class LongestFirst extends BaseSequencer {
  /** The others as Vitest orders them. */
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    return (await super.sort(files)).toSorted((a, b) => placeOf(a) - placeOf(b));
  }
}

function placeOf({ moduleId }: TestSpecification): number {
  const at = LONG.indexOf(basename(moduleId, '.test.ts'));
  return at < 0 ? LONG.length : at;
}
