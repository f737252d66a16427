import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { avis, deposit, note, Office, PEOPLE, peek, piece } from '../../test/office.ts';
import { payloadHash } from '../../test/recompute.ts';
import { UNRECORDED, unsealed } from '../../test/unsealed.ts';
import { proposalIds } from './identity.ts';
import {
  DossierNotFound,
  Forbidden,
  InvalidProposal,
  KeyReused,
  Refused,
  RevisionMismatch,
  sentencesOf,
} from './index.ts';

const { demandeur, voisin, agent, chef, passant } = PEOPLE;
const key = { idempotencyKey: 'une-fois' };

let office: Office;
beforeEach(async () => {
  office = await Office.open();
});
afterEach(() => office.close());

/** Expects this to be refused with that fault, and nothing to be written, in the journal or in the directory. */
async function leavesNothing(fault: new (...parts: never[]) => Error, act: () => Promise<unknown>): Promise<void> {
  const written = async () => [
    await office.journal.tip(),
    peek(office.folder, 'personnes.db', 'select * from persons'),
    peek(office.folder, 'personnes.db', 'select * from erasables'),
  ];
  const before = await written();
  await expect(act()).rejects.toThrow(fault);
  expect(await written()).toEqual(before);
}

describe('A proposal that is not accepted writes nothing', () => {
  test('an opening: of no known procedure, by the wrong role or party, of the wrong form, against a rule', async () => {
    const opening = (who: typeof agent, body: unknown) => () => office.open(who, body);
    await leavesNothing(InvalidProposal, opening(demandeur, { ...deposit(), workflow: 'autre' }));
    await leavesNothing(InvalidProposal, opening(demandeur, { ...deposit(), version: 2 }));
    await leavesNothing(InvalidProposal, opening(demandeur, { workflow: 'demande', fact: piece('plan') }));
    await leavesNothing(Forbidden, opening(chef, deposit()));
    await leavesNothing(Forbidden, opening(voisin, deposit()));
    await leavesNothing(InvalidProposal, opening(demandeur, deposit({}, { objet: 12, inconnu: true })));
    await leavesNothing(Refused, opening(demandeur, deposit({ effectiveAt: '2026-03-03' })));
    const liee = '11111111-2222-4333-8444-555555555555';
    await leavesNothing(Refused, opening(demandeur, deposit({}, { liee })));
  });

  test('a fact: of no dossier, of another’s, by the wrong role, of the wrong form, not expected, against a rule', async () => {
    const id = await office.led(['agent', piece('plan')]);
    const advance =
      (who: typeof agent, fact: unknown, dossier: string = id) =>
      () =>
        office.advance(who, dossier, fact);
    await leavesNothing(DossierNotFound, advance(agent, piece('x'), '11111111-2222-4333-8444-555555555555'));
    await leavesNothing(DossierNotFound, advance(agent, piece('x'), 'pas-un-uuid'));
    await leavesNothing(DossierNotFound, advance(voisin, piece('x')));
    await leavesNothing(DossierNotFound, advance(passant, piece('x')));
    await leavesNothing(Forbidden, advance(demandeur, avis('favorable')));
    await leavesNothing(Forbidden, advance(demandeur, piece('x', { onBehalfOf: { role: 'chef', org: 'ANSSI' } })));
    await leavesNothing(InvalidProposal, advance(agent, { type: 'demande.inventee' }));
    await leavesNothing(InvalidProposal, advance(agent, piece('x', { effectiveAt: '2026-02-30' })));
    await leavesNothing(InvalidProposal, advance(agent, note('')));
    await leavesNothing(Refused, advance(agent, { type: 'suivi.rouverte' }));
    await leavesNothing(Refused, advance(chef, { type: 'demande.acceptee' }));
    await leavesNothing(Refused, advance(agent, piece('x', { effectiveAt: '2026-03-01' })));
    await leavesNothing(Refused, advance(agent, { ...note('Demain.'), effectiveAt: '2026-03-03' }));
    await leavesNothing(RevisionMismatch, () => office.advance(agent, id, note('x'), { ifMatch: 0 }));
  });

  test('a refusal names every rule that failed, and what is possible', async () => {
    const id = await office.led();
    const fault = await office.advance(chef, id, { type: 'demande.acceptee' }).catch((refusal) => refusal);
    expect(fault).toBeInstanceOf(Refused);
    const told = await (fault as Refused).told.open(UNRECORDED);
    expect(told.reasons.map(({ rule }) => rule)).toEqual(['une-piece', 'avis-favorable']);
    expect(sentencesOf(told)).toBe("Aucune pièce n'a été reçue. Aucun avis n'a été rendu.");
    expect(told.possible.map(({ type }) => type)).toContain('demande.piece-recue');
  });
});

describe('The same key again', () => {
  test('is the same opening, for the same caller only', async () => {
    const first = await office.open(demandeur, deposit(), key);
    const again = await office.open(demandeur, deposit(), key);
    expect(again).toMatchObject({ remembered: true, event: first.event });
    expect((await office.open(agent, deposit(), key)).dossier.id).not.toBe(first.dossier.id);
    await leavesNothing(KeyReused, () => office.open(demandeur, deposit({}, { objet: 'Une jetée' }), key));
    expect((await office.open(demandeur, deposit(), { idempotencyKey: 'deux' })).remembered).toBe(false);
  });

  test('is the same fact, answered with the state it led to, whatever happened since', async () => {
    const id = await office.led(['agent', piece('plan')], ['chef', avis('favorable')]);
    const first = await office.advance(chef, id, { type: 'demande.acceptee' }, key);
    await office.advance(agent, id, { type: 'suivi.rouverte' });
    await office.advance(agent, id, piece('carte'));
    for (const [memory, restart] of [
      ['warm', false],
      ['cold', true],
    ] as const) {
      if (restart) await office.restart();
      const again = await office.advance(chef, id, { type: 'demande.acceptee' }, key);
      const view = async (accepted: typeof again) =>
        (await (await office.engine.answer(accepted, chef)).open(UNRECORDED)).view;
      expect([memory, again.remembered, again.event]).toEqual([memory, true, first.event]);
      expect(await view(again)).toEqual(await view(first));
      expect(await view(again)).toMatchObject({ state: 'suivi', revision: 3, context: { faits: 4 } });
    }
    expect((await unsealed(office.engine).show(chef, id)).revision).toBe(5);
  });

  test('is found before an If-Match that has become old, and before rules that no longer hold', async () => {
    const id = await office.led();
    await office.advance(agent, id, piece('plan'), { ...key, ifMatch: 0 });
    await office.advance(agent, id, piece('carte'));
    expect((await office.advance(agent, id, piece('plan'), { ...key, ifMatch: 0 })).remembered).toBe(true);
    await leavesNothing(KeyReused, () => office.advance(agent, id, piece('devis'), key));
    await leavesNothing(KeyReused, () => office.advance(agent, id, piece('plan', { effectiveAt: '2026-03-02' }), key));
  });

  test('does not serve another dossier, nor is it used up by a refusal', async () => {
    const [one, two] = [await office.led(), await office.led()];
    await expect(office.advance(chef, one, { type: 'demande.acceptee' }, key)).rejects.toThrow(Refused);
    expect((await office.advance(agent, one, piece('plan'), key)).remembered).toBe(false);
    expect((await office.advance(agent, two, piece('plan'), key)).remembered).toBe(false);
  });

  test('sent many times at once is stored once', async () => {
    const id = await office.led();
    const answers = await Promise.all(Array.from({ length: 16 }, () => office.advance(agent, id, piece('plan'), key)));
    expect(answers.filter(({ remembered }) => !remembered)).toHaveLength(1);
    expect(await office.stored(id)).toHaveLength(2);
    const opened = await Promise.all(Array.from({ length: 16 }, () => office.open(demandeur, deposit(), key)));
    expect(new Set(opened.map(({ dossier }) => dossier.id)).size).toBe(1);
  });
});

describe('A note', () => {
  const TEXT = 'Interlocutrice injoignable jusqu’au solstice.';

  test('lies in the directory alone, and is shown from there', async () => {
    const id = await office.led();
    const { event } = await office.advance(agent, id, note(TEXT), key);
    expect(event).toMatchObject({ data: {} });
    expect(event.salt).toBeUndefined();
    expect((await unsealed(office.engine).history(agent, id, 0, 1))[0]).toMatchObject({ data: { texte: TEXT } });
    const holding = () =>
      readdirSync(office.folder).filter((file) => readFileSync(join(office.folder, file)).includes(Buffer.from(TEXT)));
    expect(holding().map((file) => file.replace('-wal', ''))).toEqual(['personnes.db']);
    // The search finds what is there: other payloads are in the journal.
    expect(peek(office.folder, 'journal.db', 'select data from events where revision = 0')[0]?.data).toContain('quai');
    await office.restart();
    expect(holding()).toEqual(['personnes.db']);
    await office.directory.drop(event.envelope.id);
    expect(holding()).toEqual([]);
  });

  test('is recognised by its key; once erased, the key alone speaks', async () => {
    const id = await office.led();
    const { event } = await office.advance(agent, id, note(TEXT), key);
    expect(await office.advance(agent, id, note(TEXT), key)).toMatchObject({ remembered: true, event });
    await expect(office.advance(agent, id, note('Autre chose.'), key)).rejects.toThrow(KeyReused);
    await office.directory.drop(event.envelope.id);
    expect(await office.advance(agent, id, note(TEXT), key)).toMatchObject({ remembered: true, event });
    expect(await office.directory.payload(event.envelope.id)).toBeNull();
    const [item] = await unsealed(office.engine).history(agent, id, 0, 1);
    expect(item).toMatchObject({ data: {}, meta: { erased: true } });
    await office.advance(agent, id, piece('plan'));
  });

  test('kept before a crash that came before the append is sealed with what was kept, and with nothing else', async () => {
    const id = await office.led();
    const conditions = { route: `POST /api/dossiers/${id}/facts`, ...key };
    const { event: own } = proposalIds(agent, conditions, { uuid: () => '', salt: () => '' });
    await office.directory.keep({ id: own, data: { texte: TEXT }, salt: 'ab'.repeat(16) });
    await expect(office.advance(agent, id, note('Autre chose.'), key)).rejects.toThrow(KeyReused);
    const { event } = await office.advance(agent, id, note(TEXT), key);
    expect(event.envelope).toMatchObject({ id: own, dataHash: payloadHash('ab'.repeat(16), { texte: TEXT }) });
  });
});
