import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { lead, parties, type Tokens } from './parties.ts';
import { randomFrom } from './requests.ts';
import { type Running, run } from './running.ts';
import { fact, type Step, upTo, walkToJ3 } from './walk.ts';

/**
 * Two dossiers of the same party that differ only in what is withheld from it: whatever it asks, the answers are the same,
 * but for what is named here.
 */

let server: Running;
let tokens: Tokens;
const now = new Date('2025-07-02T10:00:00Z');
const WIDE = process.env.JALON_TEST === 'long';

beforeAll(async () => {
  server = await run({ now: () => now });
  tokens = await parties(server);
});
afterAll(async () => {
  await server.stop();
  expect(server.alarms).toEqual([]);
});

/** What may differ, and why. Ids are compared by where they appear for the first time, everything else to the letter. */
const DIFFERENT: readonly [what: RegExp, why: string][] = [
  [/[0-9a-f]{64}/g, 'hashes cover what is withheld'],
  [/[0-9a-f]{32}(?![0-9a-f])/g, 'salts and traces are drawn at random'],
  [/00-TRACE-[0-9a-f]{16}-01/g, 'the trace of a fact is made from its id'],
  [/[0-9a-f]{16}(?=-01)/g, 'the span of a fact is made from its id'],
  [/"position":"\d+"/g, 'a position is opaque, and a place among the facts of all dossiers'],
];

function compared(text: string): string {
  const ids = new Map<string, string>();
  const named = text.replaceAll(/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, (id) => {
    if (!ids.has(id)) ids.set(id, `<id ${ids.size}>`);
    return ids.get(id) as string;
  });
  return DIFFERENT.reduce((rest, [what]) => rest.replaceAll(what, '<>'), named);
}

const ADVICE = ['qualifier', 'qualifier-avec-reserves', 'refuser'];

/** A walk in which the content of what is withheld from parties is drawn, and how many notes there are is given. */
function world(draw: () => number, notes: readonly number[]): Step[] {
  const one = <T>(of: readonly T[]) => of[Math.floor(draw() * of.length)] as T;
  const text = () => `Texte ${'x'.repeat(1 + Math.floor(draw() * 300))} ${draw()}`;
  const steps: Step[] = walkToJ3().map((step) => {
    if (step.type === 'j3.enquete-conclue')
      return { ...step, data: { ...step.data, reference: `ENQ-${Math.floor(draw() * 1e6)}` } };
    if (step.type === 'j3.avis-rendu') return { ...step, data: { ...step.data, sens: one(ADVICE), motifs: [text()] } };
    return step;
  });
  for (const at of notes) steps.splice(at, 0, fact('dossier.note-ajoutee', { texte: text() }));
  return steps;
}

async function asked(id: string, last: number): Promise<[path: string, text: string][]> {
  const dossier = `/api/dossiers/${id}`;
  const revisions = [0, 1, Math.floor(last / 2), last - 1, last];
  const paths = [
    ...['', '/facts', '/timeline', '/replay', '/bundle', '/facts?limit=3&after=20'].map((path) => dossier + path),
    ...revisions.map((revision) => `${dossier}/state?revision=${revision}`),
    ...revisions.map((revision) => `${dossier}/diff?from=0&to=${revision}`),
    ...['2024-10-01', '2025-06-15', '2025-07-01'].map((date) => `${dossier}/state?effectiveAt=${date}`),
    `${dossier}/state?corrected=true`,
    `${dossier}/state?recordedAt=${now.toISOString()}`,
    ...['updatedAt', '-updatedAt', 'jalonSince'].map((sort) => `/api/dossiers?q=${id}&sort=${sort}`),
    `/api/dossiers?q=${id}&waiting=me`,
    `/api/findings?dossier=${id}`,
  ];
  const answers: [string, string][] = [];
  for (const role of ['prestataire', 'centre'] as const) {
    for (const path of paths) {
      const { status, text } = await server.call(tokens[role], 'GET', path);
      const shown = path.endsWith('/bundle') ? withoutProofs(text) : text;
      answers.push([`${role} ${path.replaceAll(id, ':id')}`, compared(`${status} ${shown}`)]);
    }
    for (const [type, effectiveAt] of [
      ['suivi.renonciation', '2020-01-01'],
      ['suivi.griefs-notifies', '2025-07-02'],
      ['j0.acceptee', '2025-07-02'],
    ] as const) {
      const { role: _, ...proposed } = fact(type, {}, { effectiveAt });
      const { status, text } = await server.call(tokens[role], 'POST', `${dossier}/facts`, proposed);
      answers.push([`${role} POST ${type}`, compared(`${status} ${text}`)]);
    }
  }
  return answers;
}

/** Of a bundle, all but what proves that it is in the log, whose other facts are others. */
function withoutProofs(bundle: string): string {
  const { proofs: _, checkpoint: __, seal: ___, ...others } = JSON.parse(bundle);
  return JSON.stringify(others);
}

/** What a subscriber gets of one dossier. */
async function received(id: string): Promise<string> {
  const events: { subject: string }[] = [];
  for (let next = '/api/feed?limit=200'; ; ) {
    const page = await server.call(tokens.abonne, 'GET', next);
    events.push(...page.body);
    next = /^<([^>]+)>/.exec(page.headers.get('link') ?? '')?.[1] as string;
    if (page.body.length === 0) return compared(JSON.stringify(events.filter(({ subject }) => subject === id)));
  }
}

describe('Deux mondes', () => {
  const seed = Number(process.env.JALON_SEED ?? Date.now() % 1_000_000);

  test(`qui ne diffèrent que par le contenu de ce qui est tu répondent de même à une partie (graine ${seed})`, async () => {
    const draw = randomFrom(seed);
    for (let round = 0; round < (WIDE ? 30 : 2); round += 1) {
      const notes = [3, 12].map((from) => from + Math.floor(draw() * 9));
      const [one, other] = [world(draw, notes), world(draw, notes)];
      const ids = [await lead(server, tokens, one), await lead(server, tokens, other)] as const;
      const last = one.length - 1;
      const [here, there] = [await asked(ids[0], last), await asked(ids[1], last)];
      for (const [i, [path, text]] of here.entries()) expect([path, text]).toEqual(there[i]);
      expect(await received(ids[0])).toBe(await received(ids[1]));
    }
  }, 300_000);

  test('qui diffèrent par la présence de ce qui est tu sont les mêmes pour un abonné', async () => {
    const draw = randomFrom(seed + 1);
    const bare = upTo('j0.acceptee');
    const more = [...bare];
    for (const at of [2, 5]) more.splice(at, 0, fact('dossier.note-ajoutee', { texte: `Note ${draw()}` }));
    const ids = [await lead(server, tokens, bare), await lead(server, tokens, more)] as const;
    expect(await received(ids[0])).toBe(await received(ids[1]));
  });
});
