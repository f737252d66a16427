import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { avis, deposit, note, Office, PEOPLE, piece } from '../../test/office.ts';
import { unsealed } from '../../test/unsealed.ts';
import { type Caller, DossierNotFound } from './index.ts';

const { demandeur, voisin, agent, chef, passant } = PEOPLE;

let office: Office;
let id: string;
beforeAll(async () => {
  office = await Office.open();
  id = await office.led(['demandeur', piece('plan')], ['agent', note('À relancer.')], ['chef', avis('defavorable')]);
});
afterAll(() => office.close());

const rulesOf = async (who: Caller, type: string) => {
  const { possible } = await unsealed(office.engine).show(who, id);
  return possible.find((each) => each.type === type)?.rules.map(({ rule, holds }) => [rule, holds]);
};

describe('Who sees a dossier', () => {
  test('its party and those who see all; to anybody else there is none', async () => {
    for (const who of [demandeur, agent, chef]) expect((await unsealed(office.engine).show(who, id)).revision).toBe(3);
    for (const who of [voisin, passant, { ...demandeur, roles: [] }]) {
      await expect(unsealed(office.engine).show(who, id)).rejects.toThrow(DossierNotFound);
      await expect(unsealed(office.engine).history(who, id, -1, 10)).rejects.toThrow(DossierNotFound);
      await expect(office.engine.waits(who, id)).rejects.toThrow(DossierNotFound);
    }
  });

  test('someone with several roles sees what one of them shows', async () => {
    const both = { ...demandeur, roles: ['demandeur', 'agent'] };
    expect((await unsealed(office.engine).show(both, id)).context).toHaveProperty('avis', 'defavorable');
    // Elsewhere only the role that sees every dossier counts.
    const away = { ...both, org: 'Ateliers de Landévennec' };
    expect((await office.engine.disclose(away, id)).seeing).toEqual(['agent']);
  });
});

describe('A fact that is withheld', () => {
  test('shows its hash and nothing else, so that the chain still reads', async () => {
    const [opening, received, noted, advised] = await office.stored(id);
    const shown = await unsealed(office.engine).history(demandeur, id, -1, 10);
    expect(shown.slice(2)).toEqual([
      { revision: 2, hash: noted!.hash, withheld: true },
      { revision: 3, hash: advised!.hash, withheld: true },
    ]);
    expect(shown[0]).toMatchObject({
      id: opening!.envelope.id,
      data: opening!.data,
      meta: { hash: opening!.hash, actor: { nom: 'Nolwenn Le Bihan' }, previousHash: null },
    });
    expect(shown[1]).toMatchObject({ meta: { previousHash: opening!.hash, hash: received!.hash } });
  });

  test('is shown whole to those who may know it', async () => {
    const shown = await unsealed(office.engine).history(agent, id, 1, 10);
    expect(shown).toMatchObject([
      { type: 'dossier.note-ajoutee', data: { texte: 'À relancer.' }, meta: { actor: { nom: 'Gwenaël Prigent' } } },
      { type: 'demande.avis-rendu', data: { sens: 'defavorable' } },
    ]);
    expect(shown[1]).not.toHaveProperty('meta.actor.nom');
    expect(JSON.stringify(shown)).not.toContain('"stream"');
  });

  test('takes what it wrote out of the context, and leaves the rules that read it undecided', async () => {
    expect((await unsealed(office.engine).show(demandeur, id)).context).toEqual({
      faits: 4,
      liee: null,
      pieces: { plan: { rang: 0, le: '2026-03-02', avant: '2026-04-01' } },
    });
    expect((await unsealed(office.engine).show(agent, id)).context).toHaveProperty('avis', 'defavorable');
    expect(await rulesOf(demandeur, 'demande.acceptee')).toContainEqual(['avis-favorable', null]);
    expect(await rulesOf(chef, 'demande.acceptee')).toContainEqual(['avis-favorable', false]);
    expect(await rulesOf(demandeur, 'demande.acceptee')).toContainEqual(['une-piece', true]);
  });

  test('its name and payload read « effacé » once they are erased, and the rest still reads', async () => {
    const erased = await office.led(['agent', note('Efface-moi.')]);
    const [, { envelope } = { envelope: { id: '' } }] = await office.stored(erased);
    await office.directory.drop(envelope.id);
    await office.directory.forget(agent.iss, agent.sub);
    const [, item] = await unsealed(office.engine).history(agent, erased, -1, 10);
    expect(item).toMatchObject({ data: {}, meta: { erased: true, actor: { nom: 'effacé' } } });
    const { event } = await office.advance(agent, erased, piece('plan'));
    const { roles: _, name: _name, ...recorded } = agent;
    expect(event.envelope.actor).toMatchObject({ ...recorded, role: 'agent' });
    // A new row with a new salt: the old commitment tells nothing of the new one.
    const [, before, after] = await office.stored(erased);
    expect(after!.envelope.actor.name).not.toBe(before!.envelope.actor.name);
  });
});

describe('What a caller is told of what is possible', () => {
  test('each fact with who may propose it, and whether the caller may', async () => {
    const possible = async (who: Caller) =>
      (await unsealed(office.engine).show(who, id)).possible.map(({ type, allowed }) => [type, allowed]);
    expect(await possible(demandeur)).toEqual([
      ['demande.piece-recue', true],
      ['demande.avis-rendu', false],
      ['demande.acceptee', false],
      ['dossier.note-ajoutee', false],
      ['dossier.fait-rectifie', true],
      ['dossier.fait-annule', true],
      ['dossier.version-changee', false],
    ]);
    expect((await possible(agent)).filter(([, allowed]) => allowed)).toEqual([
      ['demande.piece-recue', true],
      ['dossier.note-ajoutee', true],
      ['dossier.fait-rectifie', true],
      ['dossier.fait-annule', true],
      ['dossier.version-changee', true],
    ]);
  });

  test('a page of the history: after a revision, so many at most, none beyond the end', async () => {
    const revisions = async (after: number, limit: number) =>
      (await unsealed(office.engine).history(agent, id, after, limit)).map(({ revision }) => revision);
    expect(await revisions(-1, 2)).toEqual([0, 1]);
    expect(await revisions(1, 1)).toEqual([2]);
    expect(await revisions(2, 50)).toEqual([3]);
    expect(await revisions(3, 50)).toEqual([]);
  });
});

describe('Whom a dossier waits for', () => {
  const waiting = async (dossier: string) => {
    const names = ['demandeur', 'agent', 'chef'] as const;
    const waits = await Promise.all(names.map((name) => office.engine.waits(PEOPLE[name], dossier)));
    return names.filter((_, i) => waits[i]);
  };

  test('who can make true what is still false, then who may take the next step', async () => {
    const { dossier } = await office.open(demandeur, deposit());
    expect(await waiting(dossier.id)).toEqual(['demandeur', 'chef']);
    await office.advance(demandeur, dossier.id, piece('plan'));
    expect(await waiting(dossier.id)).toEqual(['chef']);
    await office.advance(chef, dossier.id, avis('favorable'));
    expect(await waiting(dossier.id)).toEqual(['chef']);
    await office.advance(chef, dossier.id, { type: 'demande.acceptee' });
    expect(await waiting(dossier.id)).toEqual(['agent']);
  });
});
