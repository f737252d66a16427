import 'reflect-metadata';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Caller, PastMoment } from '@jalon/engine';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { initialTransition, transition } from 'xstate';
import { openProduct, type Product } from '../apps/api/product.ts';
import { catalogue } from '../workflows/index.ts';
import { unsealed } from './unsealed.ts';
import { fact, type Step, walkToJ3 } from './walk.ts';

// What is asked of the past is compared with a model that knows nothing of how the engine reads: a list of what was
// recorded, corrections applied by hand, and XState's own transition.

const seed = Number(process.env.JALON_SEED ?? Math.floor(Math.random() * 2 ** 31));
const DOSSIERS = process.env.JALON_TEST === 'long' ? 250 : 12;

let product: Product;
let folder: string;
let now = new Date();

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'jalon-past-'));
  product = await openProduct(
    folder,
    () => now,
    () => undefined,
  );
});
afterAll(async () => {
  await product.close();
  rmSync(folder, { recursive: true });
});

/** Numbers drawn from the seed (mulberry32). */
function drawing(from: number): (below: number) => number {
  let state = from >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * below);
  };
}

/** One fact as the model keeps it. */
type Told = {
  id: string;
  type: string;
  data: Record<string, unknown>;
  effectiveAt: string;
  recordedAt: string;
  actor: { iss: string; sub: string; role: string; org?: string };
  target?: string;
};

/** The facts as they read once these corrections are known: by hand, newest correction first. */
function asRead(told: readonly Told[], known: readonly Told[]): Told[] {
  const annulled = new Set<string>();
  const data = new Map<string, Record<string, unknown>>();
  const date = new Map<string, string>();
  for (const correction of [...known].reverse()) {
    const { id, type, target } = correction;
    if (target === undefined || annulled.has(id) || annulled.has(target)) continue;
    if (type === 'dossier.fait-annule') {
      if (!data.has(target)) annulled.add(target);
      continue;
    }
    const own = (data.get(id) ?? correction.data) as { donnees: Record<string, unknown>; effectiveAt?: string };
    if (!data.has(target)) data.set(target, own.donnees);
    if (own.effectiveAt !== undefined && !date.has(target)) date.set(target, own.effectiveAt);
  }
  return told
    .filter(({ id, target }) => target === undefined && !annulled.has(id))
    .map((one) => ({
      ...one,
      data: data.get(one.id) ?? one.data,
      effectiveAt: date.get(one.id) ?? one.effectiveAt,
    }));
}

function modelled(history: readonly Told[], moment: PastMoment, dossier: string) {
  const { machine } = catalogue.find('secnumcloud', 1)!;
  const upTo = history.filter(
    ({ recordedAt }, revision) =>
      revision <= (moment.revision ?? Number.POSITIVE_INFINITY) && recordedAt <= (moment.recordedAt ?? '9999'),
  );
  const facts = asRead(upTo, moment.corrected ? history : upTo).filter(
    ({ effectiveAt }) => effectiveAt <= (moment.effectiveAt ?? '9999'),
  );
  if (facts[0]?.type !== 'candidature.deposee') return null;
  let [snapshot] = initialTransition(machine);
  for (const { target: _, ...event } of facts)
    [snapshot] = transition(machine, snapshot, { ...event, dossier, lookups: {} });
  return { revision: upTo.length - 1, value: snapshot.value, context: snapshot.context };
}

const ISS = 'https://connexion.example';
const ORGS: Record<string, string> = {
  prestataire: 'Nuage de Brocéliande',
  'centre-evaluation': "Centre d'évaluation de Rennes",
};
const callerOf = (role: string): Caller => ({
  iss: ISS,
  sub: role,
  roles: [role],
  ...(ORGS[role] ? { org: ORGS[role] } : {}),
});
const auditeur = callerOf('auditeur');

test(`les états passés sont ceux d'un modèle simple, quels que soient retards et corrections (graine ${seed}, à reprendre par JALON_SEED)`, async () => {
  let compared = 0;
  let corrections = 0;
  for (let nth = 0; nth < DOSSIERS; nth++) {
    const draw = drawing(seed + nth);
    const { id, history } = await lived(draw);
    corrections += history.filter(({ target }) => target !== undefined).length;
    for (let asked = 0; asked < 30; asked++) {
      const moment = anyMoment(draw, history);
      const expected = modelled(history, moment, id);
      const answer = await unsealed(product.engine)
        .past(auditeur, id, moment)
        .catch((fault: Error) => fault);
      const got =
        answer instanceof Error
          ? answer.name
          : { revision: answer.revision, state: answer.state, context: answer.context, reading: answer.reading };
      const wanted = expected
        ? {
            revision: expected.revision,
            state: stateOf(expected.value),
            context: expected.context,
            reading: moment.corrected ? 'corrected' : 'recorded',
          }
        : 'MomentNotFound';
      expect({ nth, moment, got }).toEqual({ nth, moment, got: wanted });
      compared += 1;
    }
  }
  expect(compared).toBe(DOSSIERS * 30);
  expect(corrections).toBeGreaterThan(DOSSIERS);
}, 600_000);

function stateOf(value: unknown): string {
  if (typeof value === 'string') return value;
  const [[stage, step]] = Object.entries(value as Record<string, string>) as [[string, string]];
  return `${stage}.${step}`;
}

/** A dossier lived through at random: late recordings, corrections of anything, some of them refused. */
async function lived(draw: (below: number) => number): Promise<{ id: string; history: Told[] }> {
  now = new Date('2025-07-02T08:00:00Z');
  const history: Told[] = [];
  let id = '';
  const walk = walkToJ3().slice(0, 2 + draw(walkToJ3().length - 1));
  for (const step of walk) {
    await propose(step);
    for (let more = draw(3); more > 0; more--) await propose(anything());
  }
  return { id, history };

  async function propose({ role, ...body }: Step): Promise<void> {
    now = new Date(now.getTime() + 1000 * (1 + draw(7200)));
    const conditions = { route: 'spec' };
    try {
      const { event } = id
        ? await product.engine.advance(callerOf(role), id, body, conditions)
        : await product.engine.open(callerOf(role), { workflow: 'secnumcloud', fact: body }, conditions);
      const { envelope } = event;
      id ||= envelope.stream.slice('dossier-'.length);
      const { iss, sub, org } = envelope.actor;
      history.push({
        id: envelope.id,
        type: envelope.type,
        data: body.data,
        effectiveAt: envelope.effectiveAt,
        recordedAt: envelope.recordedAt,
        actor: { iss, sub, role: envelope.actor.role, ...(org === undefined ? {} : { org }) },
        ...(envelope.target === undefined ? {} : { target: envelope.target }),
      });
    } catch (fault) {
      // What is refused is no part of the history; anything else is a fault of the engine.
      if (!['Refused', 'InvalidProposal', 'Forbidden', 'DossierNotFound'].includes((fault as Error).name)) throw fault;
    }
  }

  function anything(): Step {
    const touched = history[draw(history.length)] as Told;
    const past = (back: number) => new Date(now.getTime() - back * 86_400_000).toISOString().slice(0, 10);
    const shifted = new Date(Date.parse(touched.effectiveAt) + (draw(9) - 4) * 86_400_000).toISOString().slice(0, 10);
    const role = touched.actor.role;
    const kind = draw(6);
    if (kind === 0)
      return fact('candidature.charge-designe', { charge: `c-${draw(9)}` }, { effectiveAt: past(draw(300)) });
    if (kind === 1) return fact('dossier.note-ajoutee', {}, { effectiveAt: past(draw(300)) });
    if (kind === 2) return fact('dossier.cible-annoncee', {}, { effectiveAt: past(draw(300)) });
    if (kind === 3) return { type: 'dossier.fait-annule', role, data: { fait: touched.id, motif: 'Par erreur' } };
    const donnees = touched.target === undefined ? changed(touched) : { ...touched.data, motif: 'Mieux dit' };
    const moved = draw(2) ? { effectiveAt: shifted } : {};
    return { type: 'dossier.fait-rectifie', role, data: { fait: touched.id, donnees, ...moved, motif: 'Erreur' } };
  }

  function changed({ type, data }: Told): Record<string, unknown> {
    const text = `Rectifié ${draw(1000)}`;
    if (type === 'candidature.charge-designe') return { charge: `r-${draw(1000)}` };
    if (type === 'j1.centre-choisi') return { ...data, agrement: { reference: text, valideJusquAu: '2027-12-31' } };
    for (const field of ['reference', 'motif', 'texte', 'objet', 'mesures', 'description', 'conclusion'])
      if (field in data) return { ...data, [field]: text };
    return data;
  }
}

function anyMoment(draw: (below: number) => number, history: readonly Told[]): PastMoment {
  const moment: PastMoment = {};
  const any = () => history[draw(history.length)] as Told;
  const kind = draw(3);
  if (kind === 0) moment.revision = draw(history.length);
  if (kind === 1) moment.recordedAt = draw(8) ? any().recordedAt : '2025-07-02T07:00:00.000Z';
  if (draw(2)) moment.effectiveAt = draw(8) ? any().effectiveAt : '2024-08-01';
  if (draw(2)) moment.corrected = true;
  return moment;
}
