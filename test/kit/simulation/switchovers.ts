/** Whoever writes the annotation that asks for a switchover: people, and tools that put back what stood there before. */
import { parseSwitchover, type SwitchoverAsked, switchoverTime } from '../../../src/api/switchover.ts';
import type { SwitchoverRequest } from '../checker/checker.ts';
import type { WorldApiServer } from '../model/world-api-server.ts';
import type { Act, GroupPlan } from './acts.ts';
import type { Loop } from './loop.ts';
import { WALL_OFFSET_MS } from './process.ts';

export type Switchovers = {
  /** `to`: name of a pod; null: any. */
  do(act: Extract<Act, { act: 'switchover' | 'selfHeal' }>, of: GroupPlan, to: string | null): void;
  /** As the manifest has it by now, for a group that is made anew. */
  declared(group: string): SwitchoverAsked | null;
  /** All that was asked for. */
  requests(): readonly SwitchoverRequest[];
};

export function createSwitchovers(api: WorldApiServer, loop: Loop): Switchovers {
  const requests: SwitchoverRequest[] = [];
  const texts = new Map<string, string[]>();

  function write(name: string, text: string | null): void {
    api.foreign.changeGroup(name, () => ({ switchover: parseSwitchover(text) }));
  }

  function ask(name: string, to: string | null, skewMs: number): void {
    const atMs = Math.floor(WALL_OFFSET_MS + loop.nowMs() + skewMs);
    const text = `to=${to ?? 'any'} at=${switchoverTime(atMs)}`;
    texts.set(name, [...(texts.get(name) ?? []), text]);
    requests.push({ namespace: 'default', group: name, to, atMs, writtenMs: loop.nowMs() });
    write(name, text);
  }

  return {
    do: (act, { name }, to) => {
      if (act.act === 'switchover') return ask(name, to, act.skewMs);
      const written = texts.get(name) ?? [];
      write(name, act.which === null ? null : (written[act.which % Math.max(1, written.length)] ?? 'to=nobody'));
    },
    declared: (group) => parseSwitchover(texts.get(group)?.at(-1)),
    requests: () => requests,
  };
}
