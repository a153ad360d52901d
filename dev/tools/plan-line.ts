/** One line that says where the missing binaries come from, and how long that takes. Pure. */
import { isOffer, type NoOffer, type Offer } from './offers.ts';
import type { Binary } from './products.ts';
import { duration } from './progress.ts';
import { ASSUMED_BYTES_PER_SECOND } from './releases.ts';

/** Where a server does not say how large a release is: the largest of them are about so large. */
const USUAL_BYTES = 80e6;

/** At 100 Mbit/s. */
export const downloadSeconds = (offers: readonly Offer[]): number =>
  Math.ceil(bytesOf(offers) / ASSUMED_BYTES_PER_SECOND);

const bytesOf = (offers: readonly Offer[]): number => offers.reduce((sum, { bytes = USUAL_BYTES }) => sum + bytes, 0);

type Known = {
  /** How long a build usually takes on this machine. */
  readonly usualSeconds: (binaries: readonly Binary[]) => number;
  /** Where binaries are kept. */
  readonly dir: string;
};

/** @param answers one for each binary that is missing */
export function planLine(answers: readonly (Offer | NoOffer)[], { usualSeconds, dir }: Known): string {
  if (answers.length === 0) return `Servers: all are here, none has to be downloaded or built (${dir}).`;
  const offers = answers.filter(isOffer);
  const none = answers.filter((answer): answer is NoOffer => !isOffer(answer));
  const parts = [
    ...(offers.length === 0 ? [] : [`${named(offers)} ${downloads(offers)}`]),
    ...(none.length === 0 ? [] : [`${named(none)} ${builds(none, usualSeconds)}`]),
  ];
  return `Servers: ${parts.join('; ')}. Once for all checkouts (${dir}).`;
}

const named = (answers: readonly { readonly binary: Binary }[]): string =>
  answers.map(({ binary }) => `${binary.name} ${binary.product.version}`).join(', ');

function downloads(offers: readonly Offer[]): string {
  const hosts = [...new Set(offers.map(({ address }) => new URL(address).host))].join(', ');
  const megabytes = Math.ceil(bytesOf(offers) / 1e6);
  return `as released, from ${hosts}: ${megabytes} MB, about ${duration(downloadSeconds(offers))} at 100 Mbit/s`;
}

function builds(none: readonly NoOffer[], usualSeconds: Known['usualSeconds']): string {
  const time = duration(usualSeconds(none.map(({ binary }) => binary)));
  const reasons = [...new Set(none.map(({ why }) => why))].join('; ');
  return `built with Go, usually ${time} on this machine and less if Go has built them before, for ${reasons}`;
}
