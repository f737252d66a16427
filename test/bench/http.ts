import { load, median, quantile, type Shot } from './load.ts';
import { finding } from './seed.ts';
import { type Line, perSecond } from './table.ts';

/** Everything that runs while HTTP is measured: the two floors, Jalon full and nearly empty, and dossiers of each kind. */
export type Stage = {
  insert: string;
  framework: string;
  jalon: string;
  small: string;
  token: Record<string, string>;
  smallToken: Record<string, string>;
  dossiers: readonly string[];
  smallDossiers: readonly string[];
  thirty: readonly string[];
  large: readonly string[];
  cold: readonly string[];
  read: readonly string[];
  say: (line: string) => void;
};

const ROUNDS = 5;
const ROUND_MS = 2_000;

// Each finding of the whole bench has a number of its own, above those that filled the dossiers.
let findings = 100_000;

/** Dossiers taken in turn, each connection from a part of its own. */
export function inTurn(dossiers: readonly string[], connections: number): (connection: number) => string {
  const part = Math.max(1, Math.floor(dossiers.length / connections));
  const taken = new Array<number>(connections).fill(0);
  return (connection) => {
    const index = connection * part + ((taken[connection] as number)++ % part);
    return dossiers[index] as string;
  };
}

/** The advance that is measured: an evaluation centre records a finding. */
export function advance(token: Record<string, string>, dossier: (connection: number) => string, minimal = false) {
  return (connection: number): Shot => {
    const { role, ...proposed } = finding(findings++);
    const authorization = `Bearer ${token[role]}`;
    return {
      method: 'POST',
      path: `/api/dossiers/${dossier(connection)}/facts`,
      body: JSON.stringify(proposed),
      headers: { authorization, ...(minimal ? { prefer: 'return=minimal' } : {}) },
    };
  };
}

/** Advance over HTTP, durable, against one prepared insert behind node:http. */
export async function measureAdvance({ insert, jalon, token, dossiers, say }: Stage): Promise<Line[]> {
  const rates = { floor: [] as number[], one: [] as number[], full: [] as number[], minimal: [] as number[] };
  for (let round = 0; round < ROUNDS; round++) {
    const some = dossiers.slice(round * 900, round * 900 + 900);
    const one = inTurn(some.slice(0, 130), 1);
    const full = inTurn(some.slice(130, 514), 64);
    const minimal = inTurn(some.slice(514, 898), 64);
    const measure = async (url: string, connections: number, next: (connection: number) => Shot) =>
      (await load({ url, connections, ms: ROUND_MS, expect: 201, next })).rate;
    rates.floor.push(await measure(insert, 1, advance(token, one)));
    rates.one.push(await measure(jalon, 1, advance(token, one)));
    rates.full.push(await measure(jalon, 64, advance(token, full)));
    rates.minimal.push(await measure(jalon, 64, advance(token, minimal, true)));
    say(
      `advance, round ${round + 1}: ${Object.entries(rates)
        .map(([name, list]) => `${name} ${perSecond(list.at(-1) ?? 0)}`)
        .join(', ')}`,
    );
  }
  const floor = median(rates.floor);
  const line = (what: string, measured: number[], wanted: number): Line => ({
    what,
    measured: perSecond(median(measured)),
    against: `F1 ${perSecond(floor)}`,
    ratio: median(measured.map((rate, round) => rate / (rates.floor[round] as number))),
    wanted: `≥ ${wanted}`,
    met: median(measured.map((rate, round) => rate / (rates.floor[round] as number))) >= wanted,
  });
  return [
    line('advance, 1 connection', rates.one, 0.5),
    line('advance, 64 connections, full answer', rates.full, 1.2),
    line('advance, 64 connections, `return=minimal`', rates.minimal, 1.5),
  ];
}

/** Advance on a dossier of 278 findings and on one of 19, turn by turn. */
export async function measureBySize({ jalon, token, thirty, large }: Stage): Promise<Line[]> {
  const latencies = { thirty: [] as number[], large: [] as number[] };
  const once = (dossiers: readonly string[], requests: number) =>
    load({ url: jalon, connections: 1, requests, expect: 201, next: advance(token, inTurn(dossiers, 1)) });
  // The first touch folds the history: it is the cold advance, measured elsewhere.
  await once(thirty, thirty.length);
  await once(large, large.length);
  for (let round = 0; round < 11; round++) {
    latencies.thirty.push(...(await once(thirty, thirty.length)).latencies);
    latencies.large.push(...(await once(large, large.length)).latencies);
  }
  const [small, big] = [median(latencies.thirty), median(latencies.large)];
  return [
    {
      what: 'advance on 300 facts (278 findings), median latency',
      measured: `${big.toFixed(2)} ms`,
      against: `30 facts, ${small.toFixed(2)} ms`,
      ratio: big / small,
      wanted: '≤ 1.5',
      met: big / small <= 1.5,
    },
  ];
}

/** The first advance on a dossier that is not in memory, and the next ones. */
export async function measureCold({ jalon, token, cold, dossiers }: Stage): Promise<Line[]> {
  // Warm the code, not the dossiers.
  const warmUp = inTurn(dossiers.slice(4_600, 4_900), 1);
  await load({ url: jalon, connections: 1, requests: 2_000, expect: 201, next: advance(token, warmUp) });
  const latencies = { cold: [] as number[], warm: [] as number[] };
  for (let from = 0; from < cold.length; from += 50) {
    const next = advance(token, inTurn(cold.slice(from, from + 50), 1));
    const once = () => load({ url: jalon, connections: 1, requests: 50, expect: 201, next });
    latencies.cold.push(...(await once()).latencies);
    latencies.warm.push(...(await once()).latencies);
  }
  const [first, then] = [quantile(latencies.cold, 0.99), quantile(latencies.warm, 0.99)];
  return [
    {
      what: 'advance on a cold dossier of 40 facts, p99',
      measured: `${first.toFixed(2)} ms`,
      against: `warm p99 ${then.toFixed(2)} ms`,
      ratio: first / then,
      wanted: '< 3',
      met: first / then < 3,
    },
  ];
}

/** Reading timelines of 20 facts, against the bare framework answering a constant. */
export async function measureTimeline({ framework, jalon, token, dossiers, read: open }: Stage): Promise<Line[]> {
  const authorization = `Bearer ${token['charge-de-qualification']}`;
  const read = (from: readonly string[]) => (): Shot => ({
    method: 'GET',
    path: `/api/dossiers/${from[Math.floor(Math.random() * from.length)]}/timeline`,
    headers: { authorization },
  });
  const measure = async (url: string, next: () => Shot) =>
    (await load({ url, connections: 16, ms: ROUND_MS, expect: 200, next })).rate;
  // Dossiers that people have open, then any of all, most of which nobody has read since they changed.
  await measure(jalon, read(open));
  const rates = { floor: [] as number[], open: [] as number[], any: [] as number[] };
  for (let round = 0; round < ROUNDS; round++) {
    rates.floor.push(await measure(framework, () => ({ method: 'GET', path: '/' })));
    rates.open.push(await measure(jalon, read(open)));
    rates.any.push(await measure(jalon, read(dossiers)));
  }
  const line = (what: string, measured: number[], wanted: number | null): Line => {
    const ratio = median(measured.map((rate, round) => rate / (rates.floor[round] as number)));
    return {
      what,
      measured: perSecond(median(measured)),
      against: `F2 ${perSecond(median(rates.floor))}`,
      ratio,
      wanted: wanted === null ? '-' : `≥ ${wanted}`,
      met: wanted === null || ratio >= wanted,
    };
  };
  return [
    line('timeline read, 500 dossiers of 20 facts in use, 16 connections', rates.open, 0.5),
    line('timeline read, any of 5,000 dossiers, 16 connections', rates.any, null),
  ];
}

/** Advance where 100,000 facts are stored and where 1,000 are, turn by turn. */
export async function measureGrowth({
  jalon,
  small,
  token,
  smallToken,
  dossiers,
  smallDossiers,
}: Stage): Promise<Line[]> {
  const latencies = { full: [] as number[], empty: [] as number[] };
  const fullDossiers = dossiers.slice(4_900, 4_900 + smallDossiers.length);
  for (let round = 0; round < 20; round++) {
    const once = (url: string, who: Record<string, string>, which: readonly string[]) =>
      load({ url, connections: 1, requests: which.length, expect: 201, next: advance(who, inTurn(which, 1)) });
    const [full, empty] = [await once(jalon, token, fullDossiers), await once(small, smallToken, smallDossiers)];
    // The first rounds warm both.
    if (round < 5) continue;
    latencies.full.push(...full.latencies);
    latencies.empty.push(...empty.latencies);
  }
  const [full, empty] = [median(latencies.full), median(latencies.empty)];
  return [
    {
      what: 'advance with 100,000 facts stored, median latency',
      measured: `${full.toFixed(2)} ms`,
      against: `1,000 stored, ${empty.toFixed(2)} ms`,
      ratio: full / empty,
      wanted: '≤ 1.2',
      met: full / empty <= 1.2,
    },
  ];
}
