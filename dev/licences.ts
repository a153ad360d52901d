/**
 * The licences of what the operator's image holds and of what develops it, from package-lock.json. `node dev/licences.ts` is a step of `npm run
 * check`: it fails where a package has a licence that nobody has looked at.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';

export type Locked = {
  readonly version?: string;
  readonly license?: string;
  readonly dev?: boolean;
  readonly optional?: boolean;
  readonly devOptional?: boolean;
};
export type Lock = { readonly packages: Readonly<Record<string, Locked>> };
export type Dependency = {
  readonly name: string;
  readonly version: string;
  readonly licence: string;
  /** In node_modules, from the checkout on. */
  readonly path: string;
  /** It is in the operator's image. */
  readonly shipped: boolean;
};

/** What may be given on with an image under the Apache License 2.0, with no more than its notice. */
const MAY_BE_SHIPPED = [
  '(MIT OR CC0-1.0)',
  '0BSD',
  'Apache-2.0',
  'BSD-2-Clause',
  'BSD-3-Clause',
  'BlueOak-1.0.0',
  'CC0-1.0',
  'ISC',
  'MIT',
  'PSF-2.0',
  'Unlicense',
];
/** Nobody gets these from us: whoever develops fetches them. */
const MAY_BE_USED = [
  ...MAY_BE_SHIPPED,
  '(MPL-2.0 OR Apache-2.0)',
  'CC BY-SA 4.0',
  'CC-BY-3.0',
  'CC-BY-4.0',
  'EPL-2.0 OR GPL-3.0-or-later',
  'MIT OR Apache-2.0',
  'MPL-2.0',
  'WTFPL',
];
/** Their own files say so, and their manifests do not. */
const SAID_ELSEWHERE: Readonly<Record<string, string>> = { khroma: 'MIT' };

/** All packages of a lock file but our own, by name. Binaries for other platforms are in it without a licence: those of the package that asks for them. */
export function dependenciesIn(lock: Lock): readonly Dependency[] {
  return Object.entries(lock.packages)
    .filter(([path, { optional, license }]) => path !== '' && !(optional === true && license === undefined))
    .map(([path, { version = '', license, dev, optional, devOptional }]) => {
      const name = path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length);
      const shipped = dev !== true && optional !== true && devOptional !== true;
      return { name, version, licence: license ?? SAID_ELSEWHERE[name] ?? 'none', path, shipped };
    })
    .toSorted((a, b) => (a.name < b.name ? -1 : Number(a.name > b.name)));
}

/** One sentence for each package whose licence is not one of those above. */
export function objectionsTo(dependencies: readonly Dependency[]): readonly string[] {
  return dependencies
    .filter(({ licence, shipped }) => !(shipped ? MAY_BE_SHIPPED : MAY_BE_USED).includes(licence))
    .map(
      ({ name, version, licence, shipped }) =>
        `${name} ${version} has the licence ${licence}, and ${shipped ? 'is in the image' : 'is used for development'}: ` +
        'take another package, or add the licence to dev/licences.ts with a look at what it asks for.',
    );
}

export function readLock(): Lock {
  return JSON.parse(readFileSync(join(import.meta.dirname, '../package-lock.json'), 'utf8')) as Lock;
}

if (import.meta.main) {
  const objections = objectionsTo(dependenciesIn(readLock()));
  for (const objection of objections) console.error(objection);
  process.exitCode = objections.length === 0 ? 0 : 1;
}
