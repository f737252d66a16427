import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { lead, opening, PRESTATAIRE, parties, propose, refused, type Tokens } from './parties.ts';
import { type Answer, type Running, run } from './running.ts';
import { fact, type Step, upTo, walkToJ3 } from './walk.ts';

const seed = Number(process.env.JALON_SEED ?? Date.now() % 2 ** 31);
const LONG = process.env.JALON_TEST === 'long';

const START = '2025-07-02T10:00:00Z';
let now = new Date(START);
let server: Running;
let tokens: Tokens;

beforeAll(async () => {
  server = await run({ now: () => now });
});
beforeEach(async () => {
  now = new Date(START);
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
  meta: { actor: { sub: string; role: string }; target?: string };
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
          /^Une décision \(« Qualification accordée » du 2025-07-01\) repose sur le fait \d+, « .* » du .* : il n'est plus corrigé que par : .*\.$|^Aucune décision ne repose encore sur .* : il peut être corrigé par : Directeur général\.$|peut être proposé par/,
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
    const isForbidden = (correct: () => Promise<Answer>) =>
      refused(server, 'interdit', correct, {
        detail: expect.stringMatching(
          /^Cette correction changerait à qui est le dossier .* que par : Chargé de qualification\.$/,
        ),
      });
    await isForbidden(() => rectify(tokens.prestataire, id, centre, { centre: 'Un autre centre' }));
    await isForbidden(() => annul(tokens.prestataire, id, centre));
    expect(refusalOf(await rectify(tokens.prestataire, id, centre))).toEqual(accepted);

    const opened = await lead(server, tokens, upTo('candidature.deposee'));
    const deposee = await lastOf(opened, 'candidature.deposee');
    for (const prestataire of [
      { nom: 'Nuage de Paimpont' },
      { nom: PRESTATAIRE, siren: '552100554' },
      { nom: PRESTATAIRE },
    ])
      await isForbidden(() => rectify(tokens.prestataire, opened, deposee, { prestataire }));
    const donnees = { ...deposee.data, prestataire: { nom: PRESTATAIRE, siren: '552100554' } };
    const siren = { type: 'dossier.fait-rectifie', data: { fait: deposee.id, donnees, motif: 'SIREN erroné' } };
    // Nor on its behalf: what a party may not do, an officer does in their own name.
    const onBehalfOf = { role: 'prestataire', org: PRESTATAIRE };
    await refused(server, 'interdit', () =>
      server.call(tokens.charge, 'POST', `/api/dossiers/${opened}/facts`, { ...siren, onBehalfOf }),
    );
    // Who is an officer too corrects as an officer.
    const both = { iss: 'urn:deux', sub: 'x', roles: ['prestataire', 'charge-de-qualification'], org: PRESTATAIRE };
    const { event } = await server.product.engine.advance(both, opened, siren, { route: 'essai' });
    expect(event.envelope.actor.role).toBe('charge-de-qualification');
    // Nor by undoing what the officer put right.
    const correction = await lastOf(opened, 'dossier.fait-rectifie');
    await isForbidden(() => annul(tokens.prestataire, opened, correction));
    await isForbidden(() => rectify(tokens.prestataire, opened, correction, { donnees: deposee.data }));
  });

  test('la liste de contrôle dit qui corrige, et combien de fois une partie le peut', async () => {
    const id = await lead(server, tokens, upTo('candidature.deposee'));
    const { possible } = (await server.call(tokens.prestataire, 'GET', `/api/dossiers/${id}`)).body;
    for (const type of ['dossier.fait-rectifie', 'dossier.fait-annule']) {
      const { rules } = possible.find((each: { type: string }) => each.type === type);
      expect(rules).toContainEqual({
        rule: 'qui-corrige',
        message: expect.stringContaining("Tant qu'aucune décision ne repose sur le fait visé"),
        holds: null,
      });
      expect(rules).toContainEqual({
        rule: 'corrections-bornees',
        message: 'Une organisation partie au dossier ne doit pas corriger un même fait plus de 20 fois.',
        holds: null,
      });
    }
  });

  test('une organisation corrige un même fait vingt fois, l’ANSSI autant qu’il faut', async () => {
    const id = await lead(server, tokens, upTo('candidature.deposee'));
    const deposee = await lastOf(id, 'candidature.deposee');
    for (let i = 0; i < 20; i++)
      expect(refusalOf(await rectify(tokens.prestataire, id, deposee, { offre: `Offre ${i}` }))).toEqual(accepted);
    const once = await rectify(tokens.prestataire, id, deposee, { offre: 'Offre 20' });
    expect(refusalOf(once)).toEqual(isRefusedBy('corrections-bornees'));
    expect(once.body.reasons[0].message).toMatch(/déjà corrigé 20 fois .* : Chargé de qualification\.$/);
    // Nor by another writing of the same name.
    const respelt = await server.token('prestataire', { org: PRESTATAIRE.toUpperCase().replace(' ', '  ') });
    expect(refusalOf(await rectify(respelt, id, deposee, { offre: 'X' }))).toEqual(isRefusedBy('corrections-bornees'));
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

  test('qui a donné l’avis n’annule pas la décision, ni ne la rétablit ; l’annuler, c’est y avoir part', async () => {
    const [a, b, c, d] = await persons();
    const { id, avis } = await upToAvis(a);
    expect((await decide(c, id)).status).toBe(201);
    const decision = await lastOf(id, 'j3.qualification-accordee');
    expect(refusalOf(await annul(a.dg, id, decision))).toEqual(isReplayRefused);
    expect(refusalOf(await annul(d.dg, id, decision))).toEqual(accepted);
    const annulment = await lastOf(id, 'dossier.fait-annule');
    // In whatever order: d and c had a hand in the decision, though it does not stand.
    for (const one of [c, d]) expect(refusalOf(await rectify(one.chef, id, avis))).toEqual(isReplayRefused);
    expect(refusalOf(await annul(a.dg, id, annulment))).toEqual(isReplayRefused);
    expect(refusalOf(await rectify(b.chef, id, avis))).toEqual(accepted);
    for (const one of [a, b]) {
      expect(refusalOf(await annul(one.dg, id, annulment))).toEqual(isReplayRefused);
      expect((await decide(one, id)).status).toBe(409);
    }
    expect((await decide(d, id)).status).toBe(201);
    const anew = await lastOf(id, 'j3.qualification-accordee');
    for (const one of [a, b]) expect(refusalOf(await annul(one.dg, id, anew))).toEqual(isReplayRefused);
  });

  test('un avis annulé puis donné par un autre n’engage que cet autre', async () => {
    const [a, b, c, d] = await persons();
    const { id, avis } = await upToAvis(a);
    expect(refusalOf(await annul(b.chef, id, avis))).toEqual(accepted);
    const { role: _, ...again } = fact('j3.avis-rendu', {}, { effectiveAt: '2025-06-18' });
    expect((await server.call(c.chef, 'POST', `/api/dossiers/${id}/facts`, again)).status).toBe(201);
    expect((await decide(c, id)).status).toBe(409);
    expect((await decide(a, id)).status).toBe(201);
    // Restored, the first opinion would be a second one: refused whoever asks.
    const annulment = await lastOf(id, 'dossier.fait-annule');
    expect(refusalOf(await annul(d.chef, id, annulment))).toEqual(isReplayRefused);
  });

  test('mêmes sujet et nom chez deux émetteurs sont deux personnes', async () => {
    const [a, , c] = await persons();
    const { id, avis } = await upToAvis(a);
    expect((await decide(c, id)).status).toBe(201);
    const namesake = { iss: 'urn:autre', sub: 'c', roles: ['chef-de-bureau'] };
    const correction = { fait: avis.id, donnees: avis.data, motif: 'Relu' };
    const proposal = { type: 'dossier.fait-rectifie', data: correction };
    await expect(server.product.engine.advance(namesake, id, proposal, { route: 'essai' })).resolves.toBeDefined();
  });
});

describe('ce qui est une décision', () => {
  const { role: _, ...griefs } = fact('suivi.griefs-notifies', {}, { effectiveAt: '2025-07-01' });
  const modified = fact('suivi.modification-notifiee', {}, { effectiveAt: '2025-07-01' });

  test('des griefs, quand le directeur général les notifie, non le chef de bureau', async () => {
    for (const [who, forbidden] of [
      ['chef', false],
      ['dg', true],
    ] as const) {
      const id = await lead(server, tokens, [...walkToJ3(), modified]);
      expect((await server.call(tokens[who], 'POST', `/api/dossiers/${id}/facts`, griefs)).status).toBe(201);
      const item = await lastOf(id, 'suivi.modification-notifiee');
      const answer = await rectify(tokens.prestataire, id, item, { description: 'Autre' });
      expect(answer.status).toBe(forbidden ? 403 : 201);
      if (!forbidden) continue;
      expect(answer.body.detail).toContain('« Griefs notifiés » du 2025-07-01');
      expect((await rectify(tokens.charge, id, item, { description: 'Autre' })).status).toBe(201);
    }
  });

  test('un jalon franchi, non ce qui amende une stratégie déjà validée', async () => {
    const steps = upTo('j2.plan-valide');
    const later = (step: Step, effectiveAt: string): Step => ({ ...step, effectiveAt });
    const last = steps.at(-1)!.effectiveAt as string;
    const amended = ['j1.centre-choisi', 'j1.strategie-proposee', 'j1.strategie-validee'].map((type) =>
      later(steps.find((step) => step.type === type) as Step, last),
    );
    const id = await lead(server, tokens, [...steps, later(fact('j2.strategie-a-amender'), last), ...amended]);
    const centre = await lastOf(id, 'j1.centre-choisi');
    expect(refusalOf(await rectify(tokens.prestataire, id, centre))).toEqual(accepted);
    const first = (await history(id)).find(({ type }) => type === 'j1.centre-choisi') as Item;
    await refused(server, 'interdit', () => rectify(tokens.prestataire, id, first));
  });

  test('une expiration, tant qu’une fin de validité rectifiée ne l’a pas démentie', async () => {
    const id = await lead(server, tokens, [...walkToJ3(), modified]);
    now = new Date('2028-07-02T10:00:00Z');
    tokens = await parties(server);
    const clock = { iss: 'jalon', sub: 'horloge', roles: ['horloge'] };
    const expiry = { type: 'suivi.qualification-expiree', effectiveAt: '2028-07-01' };
    await server.product.engine.advance(clock, id, expiry, { route: 'horloge' });
    const item = await lastOf(id, 'suivi.modification-notifiee');
    await refused(server, 'interdit', () => rectify(tokens.prestataire, id, item, { description: 'Autre' }));
    // What only the clock proposes is the director's to correct.
    expect(refusalOf(await rectify(tokens.dg, id, await lastOf(id, expiry.type)))).toEqual(accepted);
    await refused(server, 'interdit', async () => rectify(tokens.charge, id, await lastOf(id, expiry.type)));
    const decision = await lastOf(id, 'j3.qualification-accordee');
    const longer = { valideDu: '2025-07-02', valideJusquAu: '2028-07-01' };
    expect(refusalOf(await rectify(tokens.dg, id, decision, longer))).toEqual(accepted);
    expect(refusalOf(await rectify(tokens.prestataire, id, item, { description: 'Autre' }))).toEqual(accepted);
  });
});

// What follows is written from procedure.md alone, « Who may correct », to check what the product says with none of its code.

const PARTIES_AND_OFFICER =
  /^(candidature|j0|j1|j2)\.|^dossier\.retire$|^j3\.enquete-conclue$|^suivi\.(modification|observations|decision)-/;
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
  'suivi.modification-notifiee': ['prestataire', 'charge'],
  'suivi.observations-presentees': ['prestataire', 'charge'],
  'suivi.griefs-notifies': ['dg', 'chef'],
  'suivi.griefs-abandonnes': ['dg'],
};

function rootOf(items: readonly Item[], { id }: Pick<Item, 'id'>): Item {
  const item = items.find((one) => one.id === id) as Item;
  return item.meta.target ? rootOf(items, { id: item.meta.target }) : item;
}

function stands(items: readonly Item[], { id }: Item): boolean {
  return !items.some((one) => one.type === 'dossier.fait-annule' && one.meta.target === id && stands(items, one));
}

/** A fact's payload as the history reads, null where it is annulled. */
function readOf(items: readonly Item[], item: Item): Record<string, unknown> | null {
  if (!stands(items, item)) return null;
  const last = items.findLast(
    (one) => one.type === 'dossier.fait-rectifie' && one.meta.target === item.id && stands(items, one),
  );
  return last ? ((readOf(items, last) as { donnees: Record<string, unknown> }).donnees ?? null) : item.data;
}

function isDecision(items: readonly Item[], item: Item): boolean {
  const byDirector = item.type.startsWith('suivi.') && item.meta.actor.role === 'directeur-general';
  return (byDirector || DECISIONS.includes(item.type)) && stands(items, item);
}

function mayCorrect(role: string, items: readonly Item[], touched: Item): boolean {
  const root = rootOf(items, touched);
  const by = BY[root.type] ?? ['charge'];
  if (FREE.includes(root.type)) return by.includes(role);
  const later = items.slice(items.indexOf(root) + 1);
  if (!later.some((one) => isDecision(items, one))) return by.includes(role);
  if (root.type === 'j3.avis-rendu') return role === 'chef';
  return PARTIES_AND_OFFICER.test(root.type) ? role === 'charge' : role === 'dg';
}

/** Whether a correction would have a fact say that the dossier is another's; what everybody is refused changes nothing. */
function changesParties(items: readonly Item[], touched: Item, correction: Item): boolean {
  if (!stands(items, touched) || (correction.type === 'dossier.fait-annule' && touched === items[0])) return false;
  const whose = (all: readonly Item[]) => {
    const { prestataire, centre } = readOf(all, rootOf(all, touched)) ?? {};
    return JSON.stringify([prestataire, centre]);
  };
  return whose(items) !== whose([...items, correction]);
}

/** Nobody has a hand in an opinion and in the decision that was taken on it, whether that stands or not. */
function meetings(items: readonly Item[]): string[] {
  const hands = (fact: Item) => items.filter((one) => rootOf(items, one) === fact).map(({ meta }) => meta.actor.sub);
  return items.flatMap((decision, i) => {
    if (decision.type !== 'j3.qualification-accordee') return [];
    const avis = items.slice(0, i).findLast((one) => one.type === 'j3.avis-rendu' && stands(items, one));
    return avis ? hands(decision).filter((sub) => hands(avis).includes(sub)) : [];
  });
}

test(`au hasard (graine ${seed}, reprise par JALON_SEED), qui corrige est celui que dit la procédure`, async () => {
  const on = { effectiveAt: '2025-07-01' };
  const walk = [
    ...walkToJ3(),
    fact('suivi.modification-notifiee', {}, on),
    fact('suivi.griefs-notifies', {}, on),
    fact('suivi.observations-presentees', {}, on),
    fact('suivi.griefs-abandonnes', {}, on),
  ];
  const choice = fc.record({
    role: fc.constantFrom('prestataire', 'centre', 'charge', 'chef', 'dg'),
    sub: fc.constantFrom('a', 'b', 'c'),
    at: fc.nat(),
    act: fc.constantFrom('annuls', 'repeats', 'renames'),
  });
  const org = { prestataire: PRESTATAIRE, centre: "Centre d'évaluation de Rennes" } as Record<string, string>;
  const names = {
    centre: 'centre-evaluation',
    charge: 'charge-de-qualification',
    chef: 'chef-de-bureau',
    dg: 'directeur-general',
  };
  const counts = { forbidden: 0, refused: 0, accepted: 0, parties: 0 };
  const led = fc.record({
    steps: fc.oneof(fc.integer({ min: 1, max: walk.length }), fc.integer({ min: walk.length - 4, max: walk.length })),
    accuser: fc.constantFrom('directeur-general', 'chef-de-bureau'),
    choices: fc.array(choice, { minLength: 3, maxLength: 10 }),
  });
  await fc.assert(
    fc.asyncProperty(led, async ({ steps, accuser, choices }) => {
      const [first, ...others] = walk.slice(0, steps);
      const opened = await server.call(tokens.prestataire, 'POST', '/api/dossiers', opening(first as Step));
      const { id } = opened.body;
      for (const step of others) {
        const role = step.type === 'suivi.griefs-notifies' ? accuser : step.role;
        expect((await propose(server, tokens, id, { ...step, role })).status).toBe(201);
      }
      for (const { role, sub, at, act } of choices) {
        const items = await history(id);
        const touched = items[at % items.length] as Item;
        const token = await server.token(names[role as keyof typeof names] ?? role, {
          sub,
          ...(org[role] ? { org: org[role] } : {}),
        });
        const other = (data: Record<string, unknown>): Record<string, unknown> => ({
          ...data,
          ...(data.donnees ? { donnees: other(data.donnees as Record<string, unknown>) } : {}),
          ...(data.prestataire ? { prestataire: { nom: `${PRESTATAIRE} bis` } } : {}),
          ...(data.centre ? { centre: `${org.centre} bis` } : {}),
        });
        const donnees = act === 'renames' ? other(touched.data) : touched.data;
        const correction = {
          type: act === 'annuls' ? 'dossier.fait-annule' : 'dossier.fait-rectifie',
          data: { fait: touched.id, ...(act === 'annuls' ? {} : { donnees }), motif: 'Erreur' },
        };
        const answer = await send(token, id, correction.type, correction.data);
        // A party that does not see the dossier, or the fact, is told nothing of either.
        if (answer.status === 404 || answer.status === 422) continue;
        const isParty = role === 'prestataire' || role === 'centre';
        const root = rootOf(items, touched);
        if (isParty && /^j3\.(avis|enquete)|note-ajoutee/.test(root.type)) {
          expect(answer.status).toBe(409);
          continue;
        }
        const meta = { actor: { sub, role }, target: touched.id };
        const parties = isParty && changesParties(items, touched, { ...correction, id: 'proposed', meta });
        expect({ touched: root.type, role, act, forbidden: answer.status === 403 }).toEqual({
          touched: root.type,
          role,
          act,
          forbidden: parties || !mayCorrect(role, items, touched),
        });
        counts[answer.status === 403 ? 'forbidden' : answer.status === 201 ? 'accepted' : 'refused'] += 1;
        if (parties && mayCorrect(role, items, touched)) counts.parties += 1;
        if (answer.status === 201) expect(meetings(await history(id))).toEqual([]);
      }
    }),
    { seed, numRuns: LONG ? 600 : 16 },
  );
  const { parties: _, ...seen } = counts;
  for (const count of LONG ? Object.values(counts) : Object.values(seen)) expect(count).toBeGreaterThan(0);
}, 600_000);
