/** The command lines of the npm scripts, read by commander: each has a help, and refuses what it does not know with exit code 2. */
import process from 'node:process';
import { Command, InvalidArgumentError } from '@commander-js/extra-typings';
import { ToldError } from './told-error.ts';

/**
 * The command of `npm run NAME -- …`. Parsing it ends the process after the help, or after a sentence on what is wrong. From then on an error that nobody
 * catches ends it with exit code 1: one that is meant for a person by its sentence, any other with its stack.
 */
export function script(name: string, description: string) {
  process.once('uncaughtException', (error: unknown) => {
    console.error(error instanceof ToldError ? error.message : error);
    process.exit(1);
  });
  return new Command(`npm run ${name} --`)
    .description(description)
    .showHelpAfterError(`\`npm run ${name} -- --help\` says what there is.`)
    .exitOverride(({ exitCode }) => process.exit(exitCode === 0 ? 0 : 2));
}

/** Reads the value of an option: a whole number, at least `min`. */
export function wholeNumber(min: number): (text: string) => number {
  return (text) => {
    const number = text.trim() === '' ? Number.NaN : Number(text);
    if (Number.isSafeInteger(number) && number >= min) return number;
    throw new InvalidArgumentError(`It must be a whole number${min > 0 ? ` above ${min - 1}` : ''}.`);
  };
}
