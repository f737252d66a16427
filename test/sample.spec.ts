import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { streamOf } from '@jalon/engine';
import { type Asked, Disclosed, type StoredEvent } from '@jalon/journal';
import { sightsOf, type Timeline } from '@jalon/projections';
import { catalogue, inscriptionAu } from '@jalon/workflows';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { openProduct, type Product } from '../apps/api/product.ts';
import { loadSample, PUBLIC_CASES, wantsSample } from '../apps/api/sample.ts';
import { startEventStore } from './eventstore/server.ts';
import { until } from './eventually.ts';
import { buildProduct, ServerProcess } from './server-process.ts';
import { unsealed } from './unsealed.ts';

const TODAY = '2026-11-25';
const NOBODY = { iss: 'urn:test', sub: 'a', roles: ['auditeur'] };
const EVERYTHING = {
  today: TODAY,
  hidden: () => false,
  disclose: async (asked: Asked) => new Disclosed(asked, [], [], true),
};

const alarms: string[] = [];
let folder: string;
let product: Product;

async function open(): Promise<void> {
  folder = mkdtempSync(join(tmpdir(), 'jalon-sample-'));
  product = await openProduct(
    folder,
    () => new Date(`${TODAY}T10:00:00Z`),
    (what) => alarms.push(what),
  );
}

async function close(): Promise<void> {
  await product.close();
  rmSync(folder, { recursive: true });
  expect(alarms).toEqual([]);
}

async function everything(): Promise<StoredEvent[]> {
  const events: StoredEvent[] = [];
  for await (const page of product.journal.readAll(null)) events.push(...page);
  return events;
}

const silent = () => undefined;

describe('Les cas publics', () => {
  /** What each case became: its facts, and its timeline. */
  const cases = new Map<string, { id: string; facts: StoredEvent[]; timeline: Timeline }>();

  beforeAll(async () => {
    await open();
    await loadSample(product.engine, silent);
    await product.projector.caughtUp(await product.journal.tip(), 10_000);
    for (const { id, summary } of (await product.list.page({ today: TODAY })).items) {
      const facts = (await everything()).filter(({ envelope }) => envelope.stream === streamOf(id));
      const timeline = (await product.timelines.read(id, EVERYTHING)) as Timeline;
      cases.set(summary.prestataire as string, { id, facts, timeline });
    }
  });
  afterAll(close);

  const the = (prestataire: string) => cases.get(prestataire)!;
  const dateOf = (prestataire: string, jalon: string) =>
    the(prestataire).timeline.milestones.find((milestone) => milestone.jalon === jalon)?.effectiveAt;

  test('sont tous là, un dossier chacun', () => {
    expect([...cases.keys()].sort()).toEqual(PUBLIC_CASES.map(({ prestataire }) => prestataire).sort());
    expect(cases.size).toBe(6);
  });

  test.each([
    ['Bleu', 'j2.plan-attendu'],
    ['S3NS', 'qualifiee.valide'],
    ['ITS Integra', 'j2.plan-attendu'],
    ['NumSpot', 'candidature.deposee'],
    ['OVHcloud', 'qualifiee.valide'],
    ['Outscale', 'qualifiee.valide'],
  ])('%s en est à %s', async (prestataire, state) => {
    expect((await unsealed(product.engine).show(NOBODY, the(prestataire).id)).state).toBe(state);
  });

  test.each([
    ['Bleu', 'J0', '2025-04-17'],
    ['Bleu', 'J1', '2025-11-01'],
    ['S3NS', 'J3', '2025-12-17'],
    ['ITS Integra', 'J0', '2025-09-01'],
    ['ITS Integra', 'J1', '2025-12-01'],
    ['OVHcloud', 'J3', '2025-03-01'],
    ['Outscale', 'J3', '2023-12-11'],
  ])('%s a franchi %s à la date annoncée : %s', (prestataire, jalon, date) => {
    expect(dateOf(prestataire, jalon)).toBe(date);
    const crossing = the(prestataire).facts.find(({ envelope }) => envelope.crosses === jalon)!;
    expect(crossing.envelope.source).toMatchObject({ kind: 'public' });
  });

  test.each([
    ['S3NS', '2024-07-01'],
    ['NumSpot', '2024-09-01'],
  ])('%s a déposé sa candidature à la date annoncée : %s', (prestataire, date) => {
    expect(the(prestataire).facts[0]!.envelope).toMatchObject({ effectiveAt: date, source: { kind: 'public' } });
  });

  test.each([
    ['S3NS', '2028-12-17', false],
    ['Outscale', '2026-11-30', false],
    ['OVHcloud', '2028-03-01', false],
  ])('%s est qualifié jusqu’au %s, trois ans au plus', (prestataire, due, overdue) => {
    const end = the(prestataire).timeline.deadlines.filter(({ fact, open }) => open && fact.startsWith('j3.'));
    expect(end).toMatchObject([{ due, overdue }]);
  });

  test.each([
    [
      'Bleu',
      [
        ['2025', true, '2024-01-15'],
        ['2026-S1', true, '2025-04-17'],
      ],
    ],
    ['S3NS', [['2024-S2', true, '2022-06-01']]],
    ['ITS Integra', [['2026-S1', true, '2025-12-01']]],
    ['NumSpot', [['2026', false, '2024-09-01']]],
    ['OVHcloud', []],
  ])('les cibles annoncées de %s, dans l’ordre, et celles qui sont manquées', (prestataire, targets) => {
    const shown = the(prestataire).timeline.targets.map(({ periode, missed, effectiveAt }) => [
      periode,
      missed,
      effectiveAt,
    ]);
    expect(shown).toEqual(targets);
  });

  test('chaque fait dit d’où il vient et à quelle précision ; ce qui n’est pas public est dit reconstitué', () => {
    for (const { facts } of cases.values())
      for (const { envelope } of facts) {
        expect(envelope.source).toEqual({
          kind: expect.stringMatching(/^(public|reconstituted)$/),
          precision: expect.stringMatching(/^(day|month|year|unknown)/),
        });
        expect(envelope.source!.precision === 'unknown').toBe(envelope.source!.kind === 'reconstituted');
      }
    const announced = PUBLIC_CASES.flatMap(({ steps }) => steps);
    const told = [...cases.values()]
      .flatMap(({ facts }) => facts)
      .filter(({ envelope }) => envelope.source?.kind === 'public');
    expect(told).toHaveLength(announced.length);
  });

  test('ce qui est qualifié est au registre public, valide à ce jour, sous son nom', async () => {
    const shown: unknown[] = [];
    for await (const row of product.register.each({})) {
      const { prestataire, offre, statut, valide, valideJusquAu } = inscriptionAu(row, TODAY);
      shown.push([prestataire, offre, statut, valide, valideJusquAu]);
    }
    const offer = (name: string) => PUBLIC_CASES.find(({ prestataire }) => prestataire === name)?.service;
    expect(shown).toEqual([
      ['Outscale', offer('Outscale'), 'valide', true, '2026-11-30'],
      ['OVHcloud', offer('OVHcloud'), 'valide', true, '2028-03-01'],
      ['S3NS', offer('S3NS'), 'valide', true, '2028-12-17'],
    ]);
  });

  test('leurs fins de validité sont des échéances, leurs durées des statistiques', async () => {
    const { items } = await product.deadlines.page({ sights: sightsOf(catalogue, NOBODY), today: TODAY, open: true });
    expect(items.map(({ summary, due, validity }) => [summary.prestataire, due, validity])).toEqual([
      ['Outscale', '2026-11-30', true],
      ['OVHcloud', '2028-03-01', true],
      ['S3NS', '2028-12-17', true],
    ]);
    const { durations, inProgress } = await product.statistics.read();
    expect(durations.map(({ from, to, count }) => `${from} ${to} ${count}`)).toEqual([
      'depot J0 5',
      'J0 J1 5',
      'J1 J2 3',
      'depot J3 3',
      'J2 J3 3',
    ]);
    expect(inProgress.map(({ jalon, count }) => `${jalon} ${count}`)).toEqual(['J0 1', 'J2 2', 'suivi 3']);
    expect((await product.findings.page({ sights: sightsOf(catalogue, NOBODY) })).items).toEqual([]);
  });

  test('rien de défavorable n’est inventé', () => {
    const facts = [...cases.values()].flatMap((each) => each.facts);
    for (const { envelope, data } of facts) {
      expect(envelope.type).not.toMatch(
        /constat|ecart|plan-d-action|enquete|griefs|refus|rejete|suspendue|abrogee|retiree|controle|complements|interrompue|amender|cloturee|note/,
      );
      if (envelope.type === 'j3.avis-rendu') expect(data.sens).toBe('qualifier');
      if (envelope.type === 'j3.qualification-accordee') expect(data).toMatchObject({ reserves: [], conditions: [] });
    }
    const invented = facts.filter(({ envelope }) => envelope.source?.kind === 'reconstituted');
    for (const { data } of invented)
      for (const [, text = ''] of JSON.stringify(data).matchAll(/"(?:titre|reference|motifs?)":\[?"([^"]+)"/g))
        expect(text).toMatch(/reconstitu/i);
  });
});

describe('Charger les cas publics', () => {
  beforeAll(buildProduct, 60_000);
  afterEach(close);

  test('une seconde fois ne change rien', async () => {
    await open();
    const lines: string[] = [];
    const first = await loadSample(product.engine, (line) => lines.push(line));
    expect(first).toEqual({ recorded: (await everything()).length, already: 0 });
    const tip = await product.journal.tip();
    const again: string[] = [];
    expect(await loadSample(product.engine, (line) => again.push(line))).toEqual({
      recorded: 0,
      already: first.recorded,
    });
    expect(again).toEqual(lines);
    expect(await product.journal.tip()).toBe(tip);
  });

  test('à deux à la fois n’enregistre chaque fait qu’une fois', async () => {
    await open();
    const [one, two] = await Promise.all([loadSample(product.engine, silent), loadSample(product.engine, silent)]);
    expect(one.recorded + two.recorded).toBe((await everything()).length);
    expect(one.recorded + one.already).toBe(two.recorded + two.already);
  });

  test('interrompu n’importe où, se termine au chargement suivant', async () => {
    await open();
    await loadSample(product.engine, silent);
    const types = (events: StoredEvent[]) => events.map(({ envelope }) => `${envelope.stream} ${envelope.type}`);
    const whole = types(await everything());
    await close();
    for (const stop of [1, 17, whole.length - 1]) {
      await open();
      const { engine } = product;
      let left = stop;
      const interrupted = {
        open: (...act: Parameters<typeof engine.open>) =>
          left-- > 0 ? engine.open(...act) : Promise.reject(new Error('coupure')),
        advance: (...act: Parameters<typeof engine.advance>) =>
          left-- > 0 ? engine.advance(...act) : Promise.reject(new Error('coupure')),
      };
      await expect(loadSample(interrupted as never, silent)).rejects.toThrow('coupure');
      expect(await everything()).toHaveLength(stop);
      expect(await loadSample(engine, silent)).toEqual({ recorded: whole.length - stop, already: stop });
      expect(types(await everything())).toEqual(whole);
      if (stop < whole.length - 1) await close();
    }
  }, 30_000);

  test('attend un journal qui est absent au démarrage, et s’enregistre quand il est là', async () => {
    await open();
    const root = mkdtempSync(join(tmpdir(), 'jalon-sample-'));
    const first = await startEventStore({ folder: join(root, 'eventstore') });
    const { port } = first;
    const env = { ESDB_URL: first.connectionString, JALON_SAMPLE: 'public', LOG_LEVEL: 'silent' };
    await first.stop();
    const server = await ServerProcess.start(join(root, 'node'), env);
    const token = await server.token('charge-de-qualification');
    expect((await server.send('GET', '/health/ready')).body.journal.status).toBe('unavailable');
    const again = await startEventStore({ folder: join(root, 'eventstore'), port });
    const shown = async () => (await server.send('GET', '/api/dossiers', { token })).body.items?.length;
    await until(async () => (await shown()) === PUBLIC_CASES.length);
    server.kill('SIGTERM');
    expect(await server.exit).toBe(0);
    await again.stop();
    rmSync(root, { recursive: true, force: true });
  }, 60_000);

  test('interrompu au premier démarrage, se termine au suivant ; une fois qu’un autre a écrit, plus rien n’est ajouté', async () => {
    await open();
    const [first, ...others] = PUBLIC_CASES;
    await loadSample(product.engine, silent, [first!]);
    await product.close();
    const restart = async () => {
      const server = await ServerProcess.start(folder, { JALON_SAMPLE: 'public' });
      const token = await server.token('charge-de-qualification');
      const { body } = await server.send('GET', '/api/dossiers', { token });
      const fact = { type: 'dossier.note-ajoutee', data: { texte: 'Lu.' } };
      await server.send('POST', `/api/dossiers/${body.items[0].id}/facts`, { token, body: fact });
      server.kill('SIGTERM');
      expect(await server.exit).toBe(0);
      return body.items.length;
    };
    expect(await restart()).toBe(1 + others.length);
    expect(await restart()).toBe(1 + others.length);
    product = await openProduct(folder, () => new Date(), silent);
    expect(await wantsSample(product.journal)).toBe(false);
  }, 60_000);
});
