import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { DEMANDES, DEMANDES_V2 } from '../../test/demande.ts';
import { avis, note, Office, PEOPLE, piece } from '../../test/office.ts';
import { UNRECORDED, unsealed } from '../../test/unsealed.ts';
import { Refused } from './faults.ts';

const { demandeur, agent, chef } = PEOPLE;
const toVersion = (version: number) => ({
  type: 'dossier.version-changee',
  data: { version, motif: 'Nouvelle version' },
});
const accepted = { type: 'demande.acceptee' };

let office: Office;
beforeEach(async () => {
  office = await Office.open({ catalogue: DEMANDES_V2 });
});
afterEach(() => office.close());

async function reasonsOf(proposal: Promise<unknown>): Promise<string[]> {
  const fault = await proposal.then(
    () => new Error('accepted'),
    (error: unknown) => error,
  );
  expect(fault).toBeInstanceOf(Refused);
  const { reasons } = await (fault as Refused).told.open(UNRECORDED);
  return reasons.map(({ rule, message }) => `${rule} : ${message}`);
}

describe('A dossier moves to another version', () => {
  test('when its whole history replays there; from then on it follows that version, also once it is read again', async () => {
    const id = await office.led(['demandeur', piece('plan')]);
    const moved = await office.advance(agent, id, toVersion(2));
    expect(moved.event.envelope).toMatchObject({
      workflow: { name: 'demande', version: 2, hash: '2'.repeat(64) },
      from: 'demande.deposee',
      to: 'demande.deposee',
    });
    await office.advance(chef, id, avis('favorable'));
    const refused = ['une-piece : Deux pièces sont attendues, et 1 a été reçue.'];
    expect(await reasonsOf(office.advance(chef, id, accepted))).toEqual(refused);
    await office.restart();
    expect(await reasonsOf(office.advance(chef, id, accepted))).toEqual(refused);
    await office.advance(demandeur, id, piece('devis'));
    const crossed = await office.advance(chef, id, accepted);
    expect(crossed.event.envelope).toMatchObject({ workflow: { version: 2 }, to: 'suivi', crosses: 'J0' });
    expect(await unsealed(office.engine).show(agent, id)).toMatchObject({ workflow: { name: 'demande', version: 2 } });
  });

  test('or is refused with the first fact that does not', async () => {
    const id = await office.led(['demandeur', piece('plan')], ['chef', avis('favorable')], ['chef', accepted]);
    expect(await reasonsOf(office.advance(agent, id, toVersion(2)))).toEqual([
      "historique-rejouable : Sous la version demandée, l'historique ne se rejoue plus : le fait 3, « Demande acceptée » du 2026-03-02, serait refusé. Deux pièces sont attendues, et 1 a été reçue.",
    ]);
    expect((await office.stored(id)).length).toBe(4);
  });

  test('each fact is shown under the version that its envelope names', async () => {
    const id = await office.led(['demandeur', piece('plan')], ['agent', toVersion(2)], ['demandeur', piece('devis')]);
    const history = await unsealed(office.engine).history(agent, id, -1, 50);
    expect(history.map((item) => ('meta' in item ? (item.meta.workflow as { version: number }).version : 0))).toEqual([
      1, 1, 2, 2,
    ]);
    const at = (revision: number) => unsealed(office.engine).past(agent, id, { revision });
    expect((await at(1)).workflow).toEqual({ name: 'demande', version: 1 });
    expect((await at(2)).workflow).toEqual({ name: 'demande', version: 2 });
    const steps = [];
    for await (const step of await unsealed(office.engine).replay(agent, id)) steps.push(step);
    const stored = await office.stored(id);
    expect(steps.map(({ stateHash }) => stateHash)).toEqual(stored.map(({ envelope }) => envelope.stateHash));
  });

  test('the change can be annulled while what came since replays under the former version', async () => {
    const id = await office.led(['demandeur', piece('plan')], ['agent', toVersion(2)], ['demandeur', piece('devis')]);
    const change = (await office.stored(id))[2]!.envelope.id;
    const annulment = { type: 'dossier.fait-annule', data: { fait: change, motif: 'Trop tôt' } };
    const { event } = await office.advance(agent, id, annulment);
    expect(event.envelope).toMatchObject({ workflow: { version: 1 }, target: change });
    await office.advance(chef, id, avis('favorable'));
    expect((await office.advance(chef, id, accepted)).event.envelope.workflow?.version).toBe(1);
  });

  test('a correction after the change is judged by the new version', async () => {
    const id = await office.led(
      ['demandeur', piece('plan')],
      ['demandeur', piece('devis')],
      ['agent', toVersion(2)],
      ['chef', avis('favorable')],
      ['chef', accepted],
    );
    const plan = (await office.stored(id))[1]!.envelope.id;
    const annulment = { type: 'dossier.fait-annule', data: { fait: plan, motif: 'Reçue par erreur' } };
    expect(await reasonsOf(office.advance(agent, id, annulment))).toEqual([
      expect.stringContaining('le fait 5, « Demande acceptée »'),
    ]);
  });
});

test('a build that lacks the version says so, and changes nothing', async () => {
  const id = await office.led(['agent', note('À revoir')], ['agent', toVersion(2)]);
  const older = office.another({ catalogue: DEMANDES });
  await expect(unsealed(older).show(agent, id)).rejects.toThrow(/follows demande 2 .* which this build does not have/);
});
