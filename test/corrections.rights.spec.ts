import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { lead, opening, PRESTATAIRE, parties, propose, refused, type Tokens } from './parties.ts';
import { type Answer, type Running, run } from './running.ts';
import { fact, type Step, upTo, walkToJ3 } from './walk.ts';

const seed = Number(process.env.JALON_SEED ?? Date.now() % 2 ** 31);
const LONG = process.env.JALON_TEST === 'long';

let server: Running;
let tokens: Tokens;

beforeAll(async () => {
  server = await run({ now: () => new Date('2025-07-02T10:00:00Z') });
});
beforeEach(async () => {
  tokens = await parties(server);
});
afterAll(async () => {
  await server.stop();
  expect(server.alarms).toEqual([]);
});

type Item = {
  id: string;
  type: string;
  data: Record<string, unknown>;
  meta: { actor: { sub: string }; target?: string };
};

const history = async (id: string): Promise<Item[]> =>
  (await server.call(tokens.auditeur, 'GET', `/api/dossiers/${id}/facts?limit=200`)).body.items;
const lastOf = async (id: string, type: string) => (await history(id)).findLast((item) => item.type === type) as Item;

const send = (token: string, id: string, type: string, data: Record<string, unknown>) =>
  server.call(token, 'POST', `/api/dossiers/${id}/facts`, { type, data });
const rectify = (token: string, id: string, { id: fait, data }: Item, changes: object = {}) =>
  send(token, id, 'dossier.fait-rectifie', { fait, donnees: { ...data, ...changes }, motif: 'Erreur de saisie' });
const annul = (token: string, id: string, { id: fait }: Pick<Item, 'id'>) =>
  send(token, id, 'dossier.fait-annule', { fait, motif: 'Par erreur' });

const refusalOf = ({ status, body }: Answer) => ({
  status,
  rules: body.reasons?.map(({ rule }: { rule: string }) => rule),
});
const accepted = { status: 201, rules: undefined };
const isRefusedBy = (rule: string) => ({ status: 409, rules: [rule] });

describe('une fois la décision prise', () => {
  let id: string;
  beforeAll(async () => {
    tokens = await parties(server);
    id = await lead(server, tokens, walkToJ3());
  });
  const register = async () => (await server.call(null, 'GET', '/api/register')).text;

  test.each([
    ['prestataire', 'candidature.deposee', { offre: 'Une autre offre' }],
    ['prestataire', 'j1.centre-choisi', { centre: 'Un autre centre' }],
    ['prestataire', 'j2.plan-d-action-remis', { mesures: 'Rien' }],
    ['centre', 'j2.constat-releve', { description: 'Tout va bien.' }],
    ['centre', 'j1.strategie-proposee', {}],
    ['centre', 'j2.rapport-remis', {}],
    ['charge', 'j3.avis-rendu', { motifs: ['Autres'] }],
    ['charge', 'j3.qualification-accordee', { decision: '2025-99' }],
    ['chef', 'j3.qualification-accordee', { decision: '2025-99' }],
  ] as const)('%s ne rectifie plus ni n’annule %s', async (who, type, changes) => {
    const item = await lastOf(id, type);
    const before = await register();
    for (const correct of [() => rectify(tokens[who], id, item, changes), () => annul(tokens[who], id, item)])
      await refused(server, 'interdit', correct, {
        detail: expect.stringMatching(
          /Une décision \(« .* » du \d{4}-.*\) repose sur le fait visé|peut être proposé par/,
        ),
      });
    expect(await register()).toBe(before);
  });

  test('le chargé, le chef ou le directeur rectifient ce qui est leur, jusqu’aux jalons', async () => {
    expect(refusalOf(await rectify(tokens.charge, id, await lastOf(id, 'candidature.deposee')))).toEqual(accepted);
    expect(refusalOf(await rectify(tokens.charge, id, await lastOf(id, 'j0.acceptee')))).toEqual(accepted);
    expect(refusalOf(await rectify(tokens.charge, id, await lastOf(id, 'j2.constat-releve')))).toEqual(accepted);
    expect(refusalOf(await rectify(tokens.chef, id, await lastOf(id, 'j3.avis-rendu')))).toEqual(accepted);
    expect(refusalOf(await rectify(tokens.dg, id, await lastOf(id, 'j3.qualification-accordee')))).toEqual(accepted);
  });

  test('une correction se corrige comme ce qu’elle touche en fin de compte', async () => {
    const own = await lead(server, tokens, upTo('candidature.completee'));
    const deposee = await lastOf(own, 'candidature.deposee');
    expect(refusalOf(await rectify(tokens.prestataire, own, deposee, { offre: 'Offre B' }))).toEqual(accepted);
    expect(await propose(server, tokens, own, fact('j0.acceptee'))).toMatchObject({ status: 201 });
    const correction = await lastOf(own, 'dossier.fait-rectifie');
    await refused(server, 'interdit', () => annul(tokens.prestataire, own, correction));
    const donnees = { fait: deposee.id, donnees: { ...deposee.data, offre: 'Offre C' }, motif: 'Encore' };
    await refused(server, 'interdit', () => rectify(tokens.prestataire, own, { ...correction, data: donnees }));
    expect(refusalOf(await annul(tokens.charge, own, correction))).toEqual(accepted);
  });

  test('une note et une cible restent à qui peut les proposer', async () => {
    await propose(server, tokens, id, fact('dossier.cible-annoncee'));
    expect(refusalOf(await annul(tokens.prestataire, id, await lastOf(id, 'dossier.cible-annoncee')))).toEqual(
      accepted,
    );
  });

  test('quand la décision qui reposait dessus est annulée, le fait revient à qui peut le proposer', async () => {
    const own = await lead(server, tokens, upTo('j0.acceptee'));
    const deposee = await lastOf(own, 'candidature.deposee');
    await refused(server, 'interdit', () => rectify(tokens.prestataire, own, deposee, { offre: 'B' }));
    expect(refusalOf(await annul(tokens.charge, own, await lastOf(own, 'j0.acceptee')))).toEqual(accepted);
    expect(refusalOf(await rectify(tokens.prestataire, own, deposee, { offre: 'B' }))).toEqual(accepted);
  });
});

describe('à tout moment', () => {
  test('une partie ne change ni l’identité du dossier ni ses parties', async () => {
    const id = await lead(server, tokens, upTo('j1.centre-choisi'));
    const centre = await lastOf(id, 'j1.centre-choisi');
    for (const correct of [
      rectify(tokens.prestataire, id, centre, { centre: 'Un autre centre' }),
      annul(tokens.prestataire, id, centre),
    ])
      expect(refusalOf(await correct).rules).toContain('parties-inchangees');
    expect(refusalOf(await rectify(tokens.prestataire, id, centre))).toEqual(accepted);

    const opened = await lead(server, tokens, upTo('candidature.deposee'));
    const deposee = await lastOf(opened, 'candidature.deposee');
    for (const prestataire of [
      { nom: 'Nuage de Paimpont' },
      { nom: PRESTATAIRE, siren: '552100554' },
      { nom: PRESTATAIRE },
    ]) {
      const answer = await rectify(tokens.prestataire, opened, deposee, { prestataire });
      expect(refusalOf(answer)).toEqual(isRefusedBy('parties-inchangees'));
    }
    const siren = { prestataire: { nom: PRESTATAIRE, siren: '552100554' } };
    expect(refusalOf(await rectify(tokens.charge, opened, deposee, siren))).toEqual(accepted);
    // Nor by undoing what the officer put right.
    const correction = await lastOf(opened, 'dossier.fait-rectifie');
    expect(refusalOf(await annul(tokens.prestataire, opened, correction)).rules).toContain('parties-inchangees');
  });

  test('une organisation corrige un même fait vingt fois, l’ANSSI autant qu’il faut', async () => {
    const id = await lead(server, tokens, upTo('candidature.deposee'));
    const deposee = await lastOf(id, 'candidature.deposee');
    for (let i = 0; i < 20; i++)
      expect(refusalOf(await rectify(tokens.prestataire, id, deposee, { offre: `Offre ${i}` }))).toEqual(accepted);
    const once = await rectify(tokens.prestataire, id, deposee, { offre: 'Offre 20' });
    expect(refusalOf(once)).toEqual(isRefusedBy('corrections-bornees'));
    // However the organisation is written.
    const typed = await server.token('prestataire', { sub: 'collègue', org: ' NUAGE de Brocéliande' });
    expect(refusalOf(await rectify(typed, id, deposee, { offre: 'Offre 20' }))).toEqual(
      isRefusedBy('corrections-bornees'),
    );
    const last = await lastOf(id, 'dossier.fait-rectifie');
    expect(refusalOf(await annul(tokens.prestataire, id, last))).toEqual(isRefusedBy('corrections-bornees'));
    for (let i = 0; i < 3; i++)
      expect(refusalOf(await rectify(tokens.charge, id, deposee, { offre: `Offre ${i}` }))).toEqual(accepted);
    const other = await lead(server, tokens, upTo('candidature.deposee'));
    expect(refusalOf(await rectify(tokens.prestataire, other, await lastOf(other, 'candidature.deposee')))).toEqual(
      accepted,
    );
  });
});

describe('quatre yeux : qui a eu part à l’avis n’a part à la décision', () => {
  /** A person with two functions: nobody is kept from acting but by what they did. */
  type Person = { chef: string; dg: string };
  const person = async (sub: string): Promise<Person> => ({
    chef: await server.token('chef-de-bureau', { sub }),
    dg: await server.token('directeur-general', { sub }),
  });
  const persons = () => Promise.all(['a', 'b', 'c', 'd'].map(person)) as Promise<[Person, Person, Person, Person]>;

  async function upToAvis({ chef }: Person): Promise<{ id: string; avis: Item }> {
    const id = await lead(server, tokens, upTo('j3.enquete-conclue'));
    const { role: _, ...avis } = fact('j3.avis-rendu', {}, { effectiveAt: '2025-06-17' });
    expect((await server.call(chef, 'POST', `/api/dossiers/${id}/facts`, avis)).status).toBe(201);
    return { id, avis: await lastOf(id, 'j3.avis-rendu') };
  }
  const decide = ({ dg }: Person, id: string) => {
    const { role: _, ...decision } = walkToJ3().at(-1) as Step;
    return server.call(dg, 'POST', `/api/dossiers/${id}/facts`, decision);
  };
  const isReplayRefused = isRefusedBy('historique-rejouable');

  test('a donne l’avis, b le rectifie, c décide : ni a ni b ne rectifie la décision', async () => {
    const [a, b, c, d] = await persons();
    const { id, avis } = await upToAvis(a);
    expect(refusalOf(await rectify(b.chef, id, avis))).toEqual(accepted);
    for (const one of [a, b]) expect((await decide(one, id)).status).toBe(409);
    expect((await decide(c, id)).status).toBe(201);
    const decision = await lastOf(id, 'j3.qualification-accordee');
    for (const one of [a, b]) expect(refusalOf(await rectify(one.dg, id, decision))).toEqual(isReplayRefused);
    expect(refusalOf(await rectify(d.dg, id, decision))).toEqual(accepted);
    // c and d had a hand in the decision.
    for (const one of [c, d]) expect(refusalOf(await rectify(one.chef, id, avis))).toEqual(isReplayRefused);
  });

  test('a donne l’avis, c décide, d rectifie la décision : ni c ni d ne rectifie l’avis, dans nul ordre', async () => {
    const [a, , c, d] = await persons();
    const { id, avis } = await upToAvis(a);
    expect((await decide(c, id)).status).toBe(201);
    const decision = await lastOf(id, 'j3.qualification-accordee');
    expect(refusalOf(await rectify(d.dg, id, decision))).toEqual(accepted);
    for (const one of [c, d]) expect(refusalOf(await rectify(one.chef, id, avis))).toEqual(isReplayRefused);
    // Annulling a correction is to have a hand in what it touches: a must not, who gave the opinion.
    const correction = await lastOf(id, 'dossier.fait-rectifie');
    expect(refusalOf(await annul(a.dg, id, correction))).toEqual(isReplayRefused);
    expect(refusalOf(await annul(c.dg, id, correction))).toEqual(accepted);
    // d's correction does not stand any more, and was made all the same.
    expect(refusalOf(await rectify(d.chef, id, avis))).toEqual(isReplayRefused);
  });
});

// What follows is written from procedure.md alone, « Who may correct », to check what the product says with none of its code.

const PARTIES_AND_OFFICER = /^(candidature|j0|j1|j2)\.|^dossier\.retire$|^j3\.enquete-conclue$/;
const FREE = ['candidature.charge-designe', 'dossier.cible-annoncee', 'dossier.note-ajoutee'];
const DECISIONS = ['j0.acceptee', 'j1.strategie-validee', 'j2.rapport-accepte', 'j3.qualification-accordee'];
const BY: Readonly<Record<string, readonly string[]>> = {
  'candidature.deposee': ['prestataire', 'charge'],
  'candidature.complements-recus': ['prestataire', 'charge'],
  'candidature.charge-designe': ['chef', 'charge'],
  'dossier.cible-annoncee': ['prestataire', 'charge'],
  'j1.centre-choisi': ['prestataire', 'charge'],
  'j1.strategie-proposee': ['prestataire', 'centre', 'charge'],
  'j2.audit-planifie': ['centre', 'charge'],
  'j2.audit-ouvert': ['centre', 'charge'],
  'j2.constat-releve': ['centre', 'charge'],
  'j2.ecart-leve': ['centre', 'charge'],
  'j2.audit-clos': ['centre', 'charge'],
  'j2.plan-d-action-remis': ['prestataire', 'charge'],
  'j2.rapport-remis': ['centre', 'charge'],
  'j3.avis-rendu': ['chef'],
  'j3.qualification-accordee': ['dg'],
};

function rootOf(items: readonly Item[], { id }: Item): Item {
  const item = items.find((one) => one.id === id) as Item;
  return item.meta.target ? rootOf(items, { id: item.meta.target } as Item) : item;
}

function stands(items: readonly Item[], { id }: Item): boolean {
  return !items.some((one) => one.type === 'dossier.fait-annule' && one.meta.target === id && stands(items, one));
}

function mayCorrect(role: string, items: readonly Item[], touched: Item): boolean {
  const root = rootOf(items, touched);
  const by = BY[root.type] ?? ['charge'];
  if (FREE.includes(root.type)) return by.includes(role);
  const later = items.slice(items.indexOf(root) + 1);
  if (!later.some((one) => DECISIONS.includes(one.type) && stands(items, one))) return by.includes(role);
  if (root.type === 'j3.avis-rendu') return role === 'chef';
  return PARTIES_AND_OFFICER.test(root.type) ? role === 'charge' : role === 'dg';
}

function handsIn(items: readonly Item[], type: string): Set<string> {
  const own = items.filter((one) => rootOf(items, one).type === type && stands(items, rootOf(items, one)));
  return new Set(own.map(({ meta }) => meta.actor.sub));
}

test(`au hasard (graine ${seed}, reprise par JALON_SEED), qui corrige est celui que dit la procédure`, async () => {
  const walk = walkToJ3();
  const choice = fc.record({
    role: fc.constantFrom('prestataire', 'centre', 'charge', 'chef', 'dg'),
    sub: fc.constantFrom('a', 'b', 'c'),
    at: fc.nat(),
    annuls: fc.boolean(),
  });
  const org = { prestataire: PRESTATAIRE, centre: "Centre d'évaluation de Rennes" } as Record<string, string>;
  const names = {
    centre: 'centre-evaluation',
    charge: 'charge-de-qualification',
    chef: 'chef-de-bureau',
    dg: 'directeur-general',
  };
  const counts = { forbidden: 0, refused: 0, accepted: 0 };
  const led = fc.record({
    steps: fc.integer({ min: 1, max: walk.length }),
    choices: fc.array(choice, { minLength: 3, maxLength: 8 }),
  });
  await fc.assert(
    fc.asyncProperty(led, async ({ steps, choices }) => {
      const [first, ...others] = walk.slice(0, steps);
      const opened = await server.call(tokens.prestataire, 'POST', '/api/dossiers', opening(first as Step));
      const { id } = opened.body;
      for (const step of others) await propose(server, tokens, id, step);
      for (const { role, sub, at, annuls } of choices) {
        const items = await history(id);
        const touched = items[at % items.length] as Item;
        const token = await server.token(names[role as keyof typeof names] ?? role, {
          sub,
          ...(org[role] ? { org: org[role] } : {}),
        });
        const answer = await (annuls ? annul(token, id, touched) : rectify(token, id, touched));
        // A party that does not see the dossier, or the fact, is told nothing of either.
        if (answer.status === 404 || answer.status === 422) continue;
        const hidden =
          ['prestataire', 'centre'].includes(role) &&
          /^j3\.(avis|enquete)|note-ajoutee/.test(rootOf(items, touched).type);
        if (hidden) {
          expect(answer.status).toBe(409);
          continue;
        }
        expect({ touched: rootOf(items, touched).type, role, forbidden: answer.status === 403 }).toEqual({
          touched: rootOf(items, touched).type,
          role,
          forbidden: !mayCorrect(role, items, touched),
        });
        counts[answer.status === 403 ? 'forbidden' : answer.status === 201 ? 'accepted' : 'refused'] += 1;
        if (answer.status !== 201) continue;
        const now = await history(id);
        const [avis, decision] = [handsIn(now, 'j3.avis-rendu'), handsIn(now, 'j3.qualification-accordee')];
        expect([...avis].filter((one) => decision.has(one))).toEqual([]);
      }
    }),
    { seed, numRuns: LONG ? 400 : 12 },
  );
  for (const count of Object.values(counts)) expect(count).toBeGreaterThan(0);
}, 600_000);
