import { beginning, fold } from '@jalon/flow';
import { chainFault, type StoredEvent } from '@jalon/journal';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { demande } from '../../test/demande.ts';
import { avis, deposit, note, Office, PEOPLE, peek, piece } from '../../test/office.ts';
import { hashOf, payloadHash, salted, stateHashOf } from '../../test/recompute.ts';
import { unsealed } from '../../test/unsealed.ts';

const { demandeur, agent, chef } = PEOPLE;
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const HASH = /^[0-9a-f]{64}$/;

let office: Office;
beforeAll(async () => {
  office = await Office.open();
});
afterAll(() => office.close());

describe('What is stored of an accepted fact', () => {
  test('an opening: every member, and no other', async () => {
    const { dossier, event, remembered } = await office.open(demandeur);
    expect(remembered).toBe(false);
    expect(event.envelope).toEqual({
      format: 1,
      id: expect.stringMatching(UUID),
      stream: `dossier-${dossier.id}`,
      revision: 0,
      type: 'demande.deposee',
      dataHash: expect.stringMatching(HASH),
      contextSaltHash: expect.stringMatching(HASH),
      actor: {
        iss: demandeur.iss,
        sub: demandeur.sub,
        role: 'demandeur',
        org: 'Ateliers du Faou',
        name: expect.stringMatching(HASH),
      },
      effectiveAt: '2026-03-02',
      recordedAt: '2026-03-02T09:00:00.000Z',
      workflow: { name: 'demande', version: 1, hash: 'd'.repeat(64) },
      from: null,
      to: 'demande.deposee',
      stateHash: expect.stringMatching(HASH),
      correlationId: event.envelope.id,
      software: 'jalon/spec',
      previousHash: null,
    });
    expect(event.data).toEqual({ demandeur: 'Ateliers du Faou', objet: 'Un quai' });
    expect(event.salt).toMatch(/^[0-9a-f]{32}$/);
    expect(event.contextSalt).toMatch(/^[0-9a-f]{32}$/);
    expect(event.contextSalt).not.toBe(event.salt);
    expect(event.digest).toBeUndefined();
    // What the caller was answered is what the journal gives back.
    expect(await office.stored(dossier.id)).toEqual([{ ...event }]);
    expect(office.engine.acknowledged).toBe(event.position);
  });

  test('its members that depend on the request: dates, correlation, cause, party, look-ups, source', async () => {
    const other = await office.led();
    const around = {
      effectiveAt: '2026-02-27',
      correlationId: 'lot-7',
      causationId: 'courrier-12',
      onBehalfOf: { role: 'demandeur', org: 'Ateliers du Faou', nom: 'Nolwenn Le Bihan' },
    };
    const conditions = { route: 'essai', idempotencyKey: 'tout' };
    const source = { kind: 'public', precision: 'day', url: 'https://exemple.fr' } as const;
    const { event } = await office.engine.open(agent, deposit(around, { liee: other }), conditions, source);
    expect(event.envelope).toMatchObject({
      actor: { sub: agent.sub, role: 'agent' },
      onBehalfOf: { role: 'demandeur', org: 'Ateliers du Faou', name: expect.stringMatching(HASH) },
      effectiveAt: '2026-02-27',
      correlationId: 'lot-7',
      causationId: 'courrier-12',
      lookups: { [other]: { liee: null, revision: 0 } },
      source,
    });
    expect(event.digest).toMatch(HASH);
  });

  test('an absent payload is {}, and an absent organisation or name is left out', async () => {
    const id = await office.led(['demandeur', piece('plan')], ['chef', avis('favorable')]);
    const nobody = { iss: chef.iss, sub: 'sans-nom', roles: ['chef'] };
    const { event } = await office.advance(nobody, id, { type: 'demande.acceptee' });
    expect(event.envelope.actor).toEqual({ iss: chef.iss, sub: 'sans-nom', role: 'chef' });
    expect(event.data).toEqual({});
    expect(event.envelope.dataHash).toBe(payloadHash(event.salt!, {}));
  });
});

describe('A history, computed again from the description of its format', () => {
  const led = () =>
    office.led(
      ['demandeur', piece('plan')],
      ['agent', note('À relancer.')],
      ['agent', piece('__proto__')],
      ['chef', avis('defavorable')],
      ['chef', avis('favorable')],
      ['chef', { type: 'demande.acceptee' }],
      ['agent', { type: 'suivi.rouverte' }],
      ['chef', { type: 'demande.acceptee' }],
    );

  test('has the recorded hashes: payload, names, envelope, chain and state', async () => {
    const id = await led();
    const events = await office.stored(id);
    let situation = beginning(demande);
    let previous: StoredEvent | null = null;
    for (const event of events) {
      const { envelope, hash, data } = event;
      expect(hash).toBe(hashOf(envelope));
      expect(envelope.previousHash).toBe(previous?.hash ?? null);
      expect(chainFault(event, previous)).toBeNull();
      const kept =
        event.salt === undefined ? (await office.directory.payload(envelope.id))! : { data, salt: event.salt };
      expect(envelope.dataHash).toBe(payloadHash(kept.salt, kept.data));
      expect(envelope.from).toBe(situation.state.state || null);
      situation = fold(situation, {
        ...envelope,
        dossier: id,
        data,
        lookups: envelope.lookups ?? {},
        ...(event.salt === undefined ? {} : { salt: event.salt }),
        ...(event.contextSalt === undefined ? {} : { contextSalt: event.contextSalt }),
      });
      expect(envelope.to).toBe(situation.state.state);
      expect(envelope.stateHash).toBe(stateHashOf(situation));
      previous = event;
    }
    expect(events.map(({ envelope }) => envelope.revision)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8]);
  });

  test('crosses a milestone once, however often the fact that crosses it is accepted', async () => {
    const id = await led();
    const crossed = (await office.stored(id)).map(({ envelope }) => envelope.crosses);
    expect(crossed.filter(Boolean)).toEqual(['J0']);
    expect(crossed.indexOf('J0')).toBe(6);
    expect((await unsealed(office.engine).show(agent, id)).crossed).toHaveLength(1);
  });

  test('commits to a name with a salt of the directory, the same for the same person and name', async () => {
    const id = await office.led(['agent', piece('un')], ['agent', piece('deux')]);
    const [, one, two] = await office.stored(id);
    const { sub, iss, name } = one!.envelope.actor;
    expect(two!.envelope.actor.name).toBe(name);
    expect(await office.directory.name(iss, sub, name!)).toBe('Gwenaël Prigent');
    const [row] = peek(office.folder, 'personnes.db', 'select salt from persons where sub = ?', sub);
    expect(name).toBe(salted(row!.salt as string, 'Gwenaël Prigent'));
  });

  test('is never recorded backwards, even when the clock is set back', async () => {
    const id = await office.led();
    const back = new Date(office.now);
    office.now = new Date('2026-03-02T08:59:59.999Z');
    await office.advance(agent, id, piece('plan'));
    office.now = new Date('2026-03-02T09:00:00.001Z');
    await office.advance(agent, id, piece('carte'));
    office.now = back;
    expect((await office.stored(id)).map(({ envelope }) => envelope.recordedAt)).toEqual([
      '2026-03-02T09:00:00.000Z',
      '2026-03-02T09:00:00.000Z',
      '2026-03-02T09:00:00.001Z',
    ]);
  });

  test('is dated in Paris, where a day begins before it does in UTC', async () => {
    const back = office.now;
    office.now = new Date('2026-07-14T22:30:00.000Z');
    const { event } = await office.open(demandeur);
    expect(event.envelope).toMatchObject({ effectiveAt: '2026-07-15', recordedAt: '2026-07-14T22:30:00.000Z' });
    office.now = back;
  });
});
