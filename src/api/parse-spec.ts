/** A group's spec at the border: defaults applied, and every problem collected. The schema in crds/ has the same rules. */
import type { ConsulLossPolicy, LeaderGroupSpec } from './leadergroup.ts';
import { lockKeyProblems } from './lockkey.ts';
import { DEFAULT_LABEL_KEY, DEFAULT_LABEL_LEADER } from './names.ts';
import { parseSelector, readableKeys } from './parse-selector.ts';
import { asObject, field, type RawObject, show } from './raw.ts';
import { groupLabelKeyProblem, labelValueProblem } from './validate.ts';

type SecondsRule = { readonly min: number; readonly max: number; readonly default: number };

const SESSION_TTL: SecondsRule = { min: 10, max: 86_400, default: 30 };
const LOCK_DELAY: SecondsRule = { min: 0, max: 60, default: 0 };
const MIN_READY: SecondsRule = { min: 0, max: 86_400, default: 0 };
const FAILOVER_DELAY: SecondsRule = { min: 0, max: 86_400, default: 0 };

/** The spec, valid only if nothing was added to `problems`: full sentences with field, what is wrong and what is allowed. */
export function parseSpec(raw: unknown, problems: string[]): LeaderGroupSpec {
  const spec = asObject(raw);
  if (spec === null) problems.push(`spec is ${show(raw)}, but must be an object with at least a selector.`);
  return parseFields(spec ?? {}, problems);
}

function parseFields(spec: RawObject, problems: string[]): LeaderGroupSpec {
  const selector = parseSelector(field(spec, 'selector'), problems);
  const lockKey = parseLockKey(field(spec, 'lockKey'), problems);
  return {
    selector,
    sessionTtlMs: parseSeconds(spec, 'sessionTTLSeconds', SESSION_TTL, problems),
    lockDelayMs: parseSeconds(spec, 'lockDelaySeconds', LOCK_DELAY, problems),
    lockKey,
    label: parseLabel(field(spec, 'label'), readableKeys(field(spec, 'selector')), problems),
    minReadyMs: parseSeconds(spec, 'minReadySeconds', MIN_READY, problems),
    failoverDelayMs: parseSeconds(spec, 'failoverDelaySeconds', FAILOVER_DELAY, problems),
    onConsulLoss: parseConsulLoss(field(spec, 'onConsulLoss'), lockKey, problems),
    paused: parsePaused(field(spec, 'paused'), problems),
  };
}

function parseSeconds(spec: RawObject, name: string, rule: SecondsRule, problems: string[]): number {
  const value = field(spec, name) ?? rule.default;
  if (typeof value === 'number' && Number.isInteger(value) && value >= rule.min && value <= rule.max) {
    return value * 1000;
  }
  problems.push(
    `spec.${name} is ${show(value)}, but must be a whole number of seconds from ${rule.min} to ${rule.max}.`,
  );
  return rule.default * 1000;
}

function parseLockKey(raw: unknown, problems: string[]): string | null {
  if (raw === undefined) return null;
  const found = typeof raw === 'string' ? lockKeyProblems(raw) : ['must be text'];
  problems.push(...found.map((problem) => `spec.lockKey is ${show(raw)}, but ${problem}.`));
  return typeof raw === 'string' ? raw : null;
}

function parseLabel(raw: unknown, selectorKeys: readonly string[], problems: string[]): LeaderGroupSpec['label'] {
  const label = asObject(raw ?? {});
  if (label === null) problems.push(`spec.label is ${show(raw)}, but must be an object with key, leader and follower.`);
  const fields = label ?? {};
  const key = parseLabelKey(field(fields, 'key') ?? DEFAULT_LABEL_KEY, selectorKeys, problems);
  const leader = parseLabelValue('spec.label.leader', field(fields, 'leader') ?? DEFAULT_LABEL_LEADER, problems);
  const rawFollower = field(fields, 'follower');
  const follower = rawFollower === undefined ? null : parseLabelValue('spec.label.follower', rawFollower, problems);
  if (typeof rawFollower === 'string' && rawFollower === (field(fields, 'leader') ?? DEFAULT_LABEL_LEADER)) {
    problems.push(
      `spec.label.follower is ${show(follower)}, but must differ from spec.label.leader; change one of them.`,
    );
  }
  return { key, leader, follower };
}

function parseLabelKey(raw: unknown, selectorKeys: readonly string[], problems: string[]): string {
  const key = typeof raw === 'string' ? raw : '';
  const problem = selectorKeys.some((selected) => selected === raw)
    ? "must not be a key of the group's own selector: labelling a pod would take it out of its group; choose another key"
    : groupLabelKeyProblem(key);
  if (problem !== null) problems.push(`spec.label.key is ${show(raw)}, but ${problem}.`);
  return key;
}

/** Unlike label values in general these must not be empty: an empty value is too easily taken for no label. */
function parseLabelValue(path: string, raw: unknown, problems: string[]): string {
  const value = typeof raw === 'string' ? raw : '';
  const problem = value === '' ? 'must be text that is not empty' : labelValueProblem(value);
  if (problem !== null) problems.push(`${path} is ${show(raw)}, but ${problem}.`);
  return value;
}

function parseConsulLoss(raw: unknown, lockKey: string | null, problems: string[]): ConsulLossPolicy {
  if (raw === 'Hold' || raw === 'Demote') return raw;
  if (raw !== undefined) problems.push(`spec.onConsulLoss is ${show(raw)}, but must be Hold or Demote.`);
  return lockKey === null ? 'Hold' : 'Demote';
}

function parsePaused(raw: unknown, problems: string[]): boolean {
  if (raw !== undefined && typeof raw !== 'boolean') {
    problems.push(`spec.paused is ${show(raw)}, but must be true or false.`);
  }
  return raw === true;
}
