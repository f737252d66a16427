import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { chainFault, type Envelope, type StoredEvent } from '@jalon/journal';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { Clock, type Turn } from '../apps/api/clock.ts';
import type { Reminder } from '../apps/api/reminders.ts';
import { lead, parties, propose, type Tokens } from './parties.ts';
import { type Running, run } from './running.ts';
import { fact, type Step, walkToJ3, wayTo } from './walk.ts';

let server: Running;
let tokens: Tokens;
let now: Date;
const told: string[] = [];

/** A clock over the same product, as in another process: it knows nothing of the first one's memory. */
function clock(): Clock {
  const { product } = server;
  const salt = () => randomBytes(16).toString('hex');
  return new Clock({ ...product, salt, software: 'jalon/spec', alarm: (what) => told.push(what) });
}

const at = (day: string) => {
  now = new Date(`${day}T10:00:00Z`);
};
const turn = (one = clock()): Promise<Turn> => one.turn();

beforeEach(async () => {
  at('2025-07-02');
  server = await run({ now: () => now });
  tokens = await parties(server);
  told.length = 0;
});
afterEach(async () => {
  await server.stop();
  expect([...server.alarms, ...told]).toEqual([]);
});

async function stored(stream: string): Promise<StoredEvent[]> {
  const events: StoredEvent[] = [];
  for await (const page of server.product.journal.read(stream)) events.push(...page);
  return events;
}
const expiries = async (id: string) =>
  (await stored(`dossier-${id}`)).filter(({ envelope }) => envelope.type === 'suivi.qualification-expiree');

async function reminders(): Promise<StoredEvent[]> {
  const events: StoredEvent[] = [];
  for await (const page of server.product.journal.readAll(null, { prefixes: ['rappels-'] })) events.push(...page);
  return events;
}
const said = async () =>
  (await reminders()).map(({ envelope, data }) => {
    const { date, libelle, delai } = data as Reminder;
    return `${envelope.stream} ${envelope.effectiveAt} ${libelle} ${date} ${delai}`;
  });

describe("l'expiration", () => {
  let id: string;
  beforeEach(async () => {
    id = await lead(server, tokens, walkToJ3());
  });

  test('est proposée le lendemain de la fin de validité, pas avant, et une fois', async () => {
    at('2028-06-30');
    expect(await turn()).toMatchObject({ proposed: 0 });
    at('2028-07-01');
    const one = clock();
    expect(await turn(one)).toMatchObject({ proposed: 1 });
    expect(await turn(one)).toMatchObject({ proposed: 0 });
    const [expiry, ...others] = await expiries(id);
    expect(others).toEqual([]);
    expect(expiry?.envelope).toMatchObject({
      from: 'qualifiee.valide',
      to: 'expiree',
      effectiveAt: '2028-07-01',
      actor: { iss: 'urn:jalon:horloge', sub: 'horloge', role: 'horloge' },
    });
    const granted = (await stored(`dossier-${id}`)).find(({ envelope }) => envelope.crosses === 'J3');
    expect(expiry?.envelope.causationId).toBe(granted?.envelope.id);
  });

  test('l’est encore après une semaine d’arrêt, à sa date', async () => {
    at('2028-07-08');
    expect(await turn()).toMatchObject({ proposed: 1 });
    expect((await expiries(id))[0]?.envelope).toMatchObject({
      effectiveAt: '2028-07-01',
      recordedAt: '2028-07-08T10:00:00.000Z',
    });
  });

  test('ne l’est qu’une fois par deux horloges à la fois', async () => {
    at('2026-02-02');
    tokens = await parties(server);
    const ids = [
      id,
      await lead(server, tokens, wayTo('qualifiee.mise-en-cause')),
      await lead(server, tokens, walkToJ3()),
    ];
    at('2028-07-02');
    const turns = await Promise.all([turn(), turn(), turn()]);
    expect(turns.reduce((sum, { proposed }) => sum + proposed, 0)).toBe(3);
    for (const each of ids) expect(await expiries(each)).toHaveLength(1);
  });

  test('ne l’est pas d’une qualification à laquelle il a été renoncé', async () => {
    at('2026-02-02');
    tokens = await parties(server);
    await propose(server, tokens, id, fact('suivi.renonciation'));
    at('2028-07-02');
    expect(await turn()).toEqual({ proposed: 0, reminded: 0 });
    expect(await expiries(id)).toEqual([]);
  });

  test('suit la date rectifiée, plus tôt ou plus tard, et revient une fois par date', async () => {
    const history = await stored(`dossier-${id}`);
    const granted = history.find(({ envelope }) => envelope.crosses === 'J3') as StoredEvent;
    const rectify = (valideJusquAu: string): Step => ({
      type: 'dossier.fait-rectifie',
      role: 'directeur-general',
      data: { fait: granted.envelope.id, donnees: { ...granted.data, valideJusquAu }, motif: 'Erreur de saisie' },
    });
    at('2027-01-04');
    tokens = await parties(server);
    expect((await propose(server, tokens, id, rectify('2026-12-31'))).status).toBe(201);
    expect(await turn()).toMatchObject({ proposed: 1 });
    expect((await expiries(id))[0]?.envelope).toMatchObject({ effectiveAt: '2027-01-01', to: 'expiree' });

    expect((await propose(server, tokens, id, rectify('2027-12-31'))).status).toBe(201);
    expect(await turn()).toMatchObject({ proposed: 0 });
    at('2028-01-01');
    expect(await turn()).toMatchObject({ proposed: 1 });
    expect((await expiries(id)).map(({ envelope }) => envelope.effectiveAt)).toEqual(['2027-01-01', '2028-01-01']);
  });

  test('annulée par le directeur général, n’est pas proposée de nouveau à la même date', async () => {
    at('2028-07-01');
    const one = clock();
    await turn(one);
    const [expiry] = await expiries(id);
    tokens = await parties(server);
    const data = { fait: expiry?.envelope.id as string, motif: 'La date est contestée.' };
    const annulment: Step = { type: 'dossier.fait-annule', role: 'directeur-general', data };
    expect((await propose(server, tokens, id, annulment)).status).toBe(201);
    expect([await turn(one), await turn()]).toMatchObject([{ proposed: 0 }, { proposed: 0 }]);
    expect(await expiries(id)).toHaveLength(1);
    expect((await server.call(tokens.charge, 'GET', `/api/dossiers/${id}`)).body.state).toBe('qualifiee.valide');
  });
});

describe('les rappels', () => {
  const FIN = 'Fin de validité de la qualification 2028-06-30';
  const RESERVE = 'Réserve à lever 2026-01-31';

  test('partent dans le flux du mois de leur moment, chacun une fois, sans ceux qui étaient déjà passés', async () => {
    await lead(server, tokens, walkToJ3());
    expect(await turn()).toEqual({ proposed: 0, reminded: 0 });
    at('2026-01-05');
    expect(await turn()).toMatchObject({ reminded: 1 });
    at('2026-01-30');
    expect(await turn()).toMatchObject({ reminded: 2 });
    expect(await turn()).toMatchObject({ reminded: 0 });
    at('2026-06-30');
    expect(await turn()).toMatchObject({ reminded: 1 });
    expect(await said()).toEqual([
      `rappels-2026-01 2026-01-01 ${RESERVE} P30D`,
      `rappels-2026-01 2026-01-24 ${RESERVE} P7D`,
      `rappels-2026-01 2026-01-30 ${RESERVE} P1D`,
      `rappels-2026-06 2026-06-30 ${FIN} P24M`,
    ]);
  });

  test('sont au format des faits, chaînés dans leur flux, et disent quel fait a fixé la date', async () => {
    const id = await lead(server, tokens, walkToJ3());
    at('2026-01-24');
    await turn();
    at('2026-01-30');
    await turn();
    const events = await stored('rappels-2026-01');
    const schema = JSON.parse(readFileSync('libs/journal/envelope.schema.json', 'utf8'));
    const validate = new Ajv2020({ strict: false }).compile<Envelope>(schema);
    let previous: StoredEvent | null = null;
    for (const event of events) {
      expect([validate(event.envelope), validate.errors]).toEqual([true, null]);
      expect(chainFault(event, previous)).toBeNull();
      expect(Object.keys(event.envelope)).not.toEqual(expect.arrayContaining(['workflow']));
      previous = event;
    }
    const granted = (await stored(`dossier-${id}`)).find(({ envelope }) => envelope.crosses === 'J3') as StoredEvent;
    expect(events.at(-1)).toMatchObject({
      envelope: {
        type: 'echeance.rappel',
        revision: 2,
        effectiveAt: '2026-01-30',
        recordedAt: '2026-01-30T10:00:00.000Z',
        actor: { iss: 'urn:jalon:horloge', sub: 'horloge', role: 'horloge' },
        causationId: granted.envelope.id,
      },
      data: {
        dossier: id,
        workflow: { name: 'secnumcloud', version: 1 },
        libelle: 'Réserve à lever',
        date: '2026-01-31',
        jalon: 'suivi',
        fait: granted.envelope.id,
        type: 'j3.qualification-accordee',
        cle: 'R1',
        echeance: `${granted.envelope.id}.1.R1`,
        delai: 'P1D',
      },
    });
  });

  test('ne partent qu’une fois par plusieurs horloges à la fois, ni après un redémarrage', async () => {
    for (let i = 0; i < 5; i += 1) await lead(server, tokens, walkToJ3());
    at('2026-01-24');
    const clocks = [clock(), clock(), clock()];
    const turns = await Promise.all(clocks.map((one) => one.turn()));
    expect(turns.reduce((sum, { reminded }) => sum + reminded, 0)).toBe(10);
    at('2026-01-30');
    await Promise.all([...clocks, clock()].map((one) => one.turn()));
    expect(await turn()).toMatchObject({ reminded: 0 });
    const events = await reminders();
    expect(events).toHaveLength(15);
    expect(new Set(events.map(({ envelope }) => envelope.id)).size).toBe(15);
    let previous: StoredEvent | null = null;
    for (const event of events) {
      expect(chainFault(event, previous)).toBeNull();
      previous = event;
    }
  });

  test('ne partent pas pour une échéance close, ni pour ce qu’une date déplacée ne vaut plus', async () => {
    const id = await lead(server, tokens, walkToJ3());
    at('2025-12-01');
    tokens = await parties(server);
    await propose(server, tokens, id, fact('suivi.reserve-levee'));
    at('2026-01-30');
    expect(await turn()).toMatchObject({ reminded: 0 });

    const granted = (await stored(`dossier-${id}`)).find(({ envelope }) => envelope.crosses === 'J3') as StoredEvent;
    at('2026-06-01');
    tokens = await parties(server);
    const donnees = { ...granted.data, valideJusquAu: '2027-06-30' };
    const data = { fait: granted.envelope.id, donnees, motif: 'Erreur de saisie' };
    const rectification: Step = { type: 'dossier.fait-rectifie', role: 'directeur-general', data };
    expect((await propose(server, tokens, id, rectification)).status).toBe(201);
    at('2026-06-30');
    expect(await turn()).toMatchObject({ reminded: 1 });
    expect(await said()).toEqual(['rappels-2026-06 2026-06-30 Fin de validité de la qualification 2027-06-30 P12M']);
  });

  test('n’arrêtent pas les vues, qui les passent', async () => {
    const id = await lead(server, tokens, walkToJ3());
    at('2026-01-30');
    await turn();
    tokens = await parties(server);
    const tip = await server.product.journal.tip();
    const answer = await server.call(tokens.charge, 'GET', `/api/deadlines?min-position=${tip}`);
    expect([answer.status, answer.body.items.length]).toEqual([200, 2]);
    expect((await server.call(tokens.charge, 'GET', `/api/dossiers/${id}/timeline`)).body.entries).toHaveLength(29);
  });
});
