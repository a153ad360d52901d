/**
 * What fields of a LeaderGroup are declared with. A declaration is the only source of a field: its type, default, limits and description,
 * what the operator says of a bad value, and the schema of the API server (`npm run generate`).
 */
import { z } from 'zod';
import { asObject, show } from './raw.ts';

/** What is said of a bad value: the sentence that begins with its field. The remedy begins with "must". */
export const but = (remedy: string): { error: (issue: { input?: unknown }) => string } => ({
  error: ({ input }) => sentence(input, remedy),
});

const sentence = (value: unknown, remedy: string): string => `is ${show(value)}, but ${remedy}`;

/** What a rule finds wrong: with the value that it was given, or with what is at `path` in it. */
export const issue = (input: unknown, message: string, path: PropertyKey[] = []): z.core.$ZodRawIssue => ({
  code: 'custom',
  input,
  message,
  path,
  continue: true,
});

/** Limits that the API server checks; here they are part of the text's rule, so that a text that is too long gets one message. */
type TextLimits = { readonly minLength?: number; readonly maxLength?: number };

/**
 * A text. `remedy` is for what is no text; `problemsOf` says of a text what is wrong with it, and the same rule stands in cel.ts for the API
 * server.
 */
export const text = (
  remedy: string,
  problemsOf: (text: string) => readonly string[] | string | null,
  limits: TextLimits,
): z.ZodString => z.string(but(remedy)).check(follows(problemsOf)).meta(limits);

const follows =
  (problemsOf: (text: string) => readonly string[] | string | null) =>
  ({ value, issues }: z.core.ParsePayload<string>): void => {
    const problems = problemsOf(value) ?? [];
    for (const remedy of typeof problems === 'string' ? [problems] : problems) {
      issues.push(issue(value, sentence(value, remedy)));
    }
  };

/**
 * A rule for several fields. It judges what can be read of them, since what is wrong with one may not hide what is wrong with another. Zod
 * leaves it out all the same when an issue says `continue: false`, as those of its own limits do; so no declaration here uses these.
 */
export const together = <T extends object>(
  judge: (readable: Readable<T>, issues: z.core.$ZodRawIssue[]) => void,
): z.core.$ZodCheck<T> =>
  z.superRefine<T>((value, { issues }) => judge(value, issues), { when: ({ value }) => asObject(value) !== null });

/** The fields of an object, each of the type that it should have or of any other. */
export type Readable<T> = Partial<Readonly<Record<keyof T, unknown>>>;

/** An object. Fields that it does not know are left out, and one that is null counts as absent, as in Kubernetes. */
export const object = <Shape extends z.core.$ZodLooseShape>(
  shape: Shape,
  remedy: string,
  rule: z.core.$ZodCheck<z.output<z.ZodObject<Shape>>>,
): z.ZodPreprocess<z.ZodObject<Shape>> => z.preprocess(withoutNulls, z.object(shape, but(remedy)).check(rule));

function withoutNulls(raw: unknown): unknown {
  const fields = asObject(raw);
  if (fields === null) return raw ?? undefined;
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== null));
}

/** A list. Of one that is too long nothing else is reported. */
export function list<Element extends z.ZodType>(element: Element, max: number): z.ZodArray<Element> {
  const length = z.superRefine<readonly unknown[]>(
    (value, { issues }) => {
      if (value.length <= max) return;
      issues.splice(0, issues.length, issue(value, `has ${value.length} elements, but may have at most ${max}`));
    },
    { when: ({ value }) => Array.isArray(value) },
  );
  return z.array(element, but('must be a list')).check(length).meta({ maxItems: max });
}

type Limits = { readonly min: number; readonly max: number; readonly default: number; readonly description: string };

const timeIn =
  (unit: string) =>
  ({ min, max, default: fallback, description }: Limits): z.ZodDefault<z.ZodNumber> =>
    wholeNumber({ min, max }, `of ${unit} `)
      .default(fallback)
      .meta({ ...numberMeta(min, max), description });

/** A whole number of seconds. */
export const seconds = timeIn('seconds');
/** A whole number of milliseconds. */
export const milliseconds = timeIn('milliseconds');

const numberMeta = (minimum: number, maximum: number) =>
  ({ type: 'integer', format: 'int32', minimum, maximum }) as const;

/** `unit`: e.g. `of seconds `. */
export function wholeNumber({ min, max }: Pick<Limits, 'min' | 'max'>, unit = ''): z.ZodNumber {
  const remedy = but(`must be a whole number ${unit}from ${min} to ${max}`);
  const fits = (value: number): boolean => Number.isInteger(value) && value >= min && value <= max;
  return z.number(remedy).refine(fits, remedy).meta(numberMeta(min, max));
}

/** The same, read only all the way down. */
export type Immutable<T> = T extends readonly (infer Element)[]
  ? readonly Immutable<Element>[]
  : T extends object
    ? { readonly [Name in keyof T]: Immutable<T[Name]> }
    : T;
