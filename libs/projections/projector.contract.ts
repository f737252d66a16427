import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { createGeneration } from './generations.ts';
import { PROJECTIONS, type Projection, Projector, ReadModelsBehind } from './index.ts';
import { Peer } from './peer.ts';
import { EVERYTHING, type Keeping, Site } from './site.ts';
import { deposit, TOYS, ToyDossier } from './toy.ts';

const NEBULEUSE = deposit('Nébuleuse', 'Nuage');

/** What the projector guarantees, whatever it writes to. */
export function describeProjector(keeping: () => Keeping): void {
  describe('the projector', () => {
    let site: Site;
    beforeEach(async () => {
      site = await Site.open(keeping());
    });
    afterEach(async () => {
      await site.close();
      expect(site.errors).toEqual([]);
    });

    async function opened(): Promise<ToyDossier> {
      const dossier = new ToyDossier(site.journal);
      await dossier.record('demande.deposee', NEBULEUSE);
      return dossier;
    }

    async function revisionShown({ id }: ToyDossier): Promise<number | undefined> {
      return (await site.timelines.read(id, EVERYTHING))?.revision;
    }

    describe('waiting for a position', () => {
      test('shows what was acknowledged, fact after fact', async () => {
        const dossier = await opened();
        for (let revision = 0; revision < 20; revision += 1) {
          await site.projector.caughtUp(dossier.position, 5000);
          expect(await revisionShown(dossier)).toBe(revision);
          await dossier.record('demande.charge-designe', { charge: `a-${revision}` });
        }
      });

      test('needs nothing when nothing was ever recorded', async () => {
        await site.projector.caughtUp(null, 5000);
        expect(site.projector.position).toBeNull();
      });

      test('needs no fact of a dossier at that position: other streams count too', async () => {
        const dossier = await opened();
        const [event] = dossier.facts;
        const stream = 'acces-2026-06-n1';
        const access = {
          ...event!,
          envelope: { ...event!.envelope, stream, id: '00000000-0000-4000-8000-000000000001' },
        };
        const { position } = await site.journal.append(stream, -1, [access]);
        await site.projector.caughtUp(position, 5000);
        expect(await revisionShown(dossier)).toBe(0);
        expect((await site.projector.lag()).map(({ facts }) => facts)).toEqual(PROJECTIONS.map(() => 0));
      });

      test('gives up after the time allowed, and says how far it had come', async () => {
        const { position } = await opened();
        await site.projector.caughtUp(position, 5000);
        await expect(site.projector.caughtUp(position + 1n, 30)).rejects.toEqual(
          new ReadModelsBehind(position + 1n, position),
        );
      });

      test('gives up when its caller does', async () => {
        const gone = new AbortController();
        const waiting = site.projector.caughtUp(99n, 60_000, gone.signal);
        gone.abort(new Error('the caller left'));
        await expect(waiting).rejects.toThrow('the caller left');
      });

      test('is over when the projector stops', async () => {
        const waiting = expect(site.projector.caughtUp(99n, 60_000)).rejects.toThrow(ReadModelsBehind);
        await site.stopProjecting();
        await waiting;
        await site.startProjecting();
      });
    });

    test('goes on from its checkpoint after a restart, and repeats nothing', async () => {
      const dossier = await opened();
      await site.level();
      await site.stopProjecting();
      await dossier.record('j0.acceptee');
      await dossier.record('dossier.cible-annoncee', { jalon: 'J1', periode: '2026' });
      await site.startProjecting({ following: false });
      expect((await site.projector.lag()).map(({ facts }) => facts)).toEqual(PROJECTIONS.map(() => 2));
      await site.projector.start();
      await site.level();
      const timeline = await site.timelines.read(dossier.id, EVERYTHING);
      expect(timeline?.entries.map(({ revision }) => revision)).toEqual([0, 1, 2]);
      expect(timeline?.targets).toHaveLength(1);
      expect(site.projector.status().projections).toMatchObject(
        PROJECTIONS.map(() => ({ generation: 1, position: dossier.position, parked: 0, outdated: false })),
      );
    });

    test('beside another projector of the same database, says so, and the rows are right all the same', async () => {
      const dossier = await opened();
      await site.level();
      const said: unknown[] = [];
      const { store, journal, projections } = site;
      const parts = {
        store,
        journal,
        projections,
        catalogue: TOYS,
        onParked: fail,
        onError: (error: unknown) => said.push(error),
      };
      const rival = new Projector(parts);
      await rival.start();
      await rival.caughtUp(dossier.position, 5000);
      await dossier.record('j0.acceptee');
      await Promise.all([site.projector, rival].map((each) => each.caughtUp(dossier.position, 5000)));
      await rival.stop();
      expect([...said, ...site.errors.splice(0)]).toEqual([expect.objectContaining({ name: 'ProjectedElsewhere' })]);
      const timeline = await site.timelines.read(dossier.id, EVERYTHING);
      expect(timeline?.entries.map(({ revision }) => revision)).toEqual([0, 1]);
    });

    test('corrections of one dossier that come together cost one reading of its history, not one each', async () => {
      let folded = 0;
      const counting: Projection = {
        name: 'comptee',
        version: 1,
        heads: 'comptee',
        tables: { comptee: { columns: { id: 'text', revision: 'integer' }, key: ['id'] } },
        toRow: ({ id, revision }) => ({ id, revision }),
        fromRow: ({ id, revision }) => ({ id: String(id), revision: Number(revision) }),
        fold(_head, { dossier, event }) {
          folded += 1;
          return { head: { id: dossier, revision: event.envelope.revision } };
        },
      };
      await site.stopProjecting();
      site.projections = [...PROJECTIONS, counting];
      await site.startProjecting();
      const dossier = await opened();
      const fait = await dossier.record('j0.acceptee');
      for (let i = 0; i < 40; i += 1)
        await dossier.record('dossier.fait-rectifie', { fait, donnees: {}, motif: 'Erreur' }, { target: fait });
      await site.level();
      folded = 0;
      await site.projector.rebuild(['comptee'], () => undefined);
      expect((await site.rows()).comptee).toEqual([{ id: dossier.id, revision: 41 }]);
      expect(folded).toBe(42);
    });

    describe('a dossier that cannot be followed', () => {
      test('is parked loudly, keeps its last good row, and holds up nobody', async () => {
        const lost = await opened();
        const other = await opened();
        await lost.record('essai.inconnu');
        await lost.record('demande.charge-designe', { charge: 'a-17' });
        await other.record('demande.charge-designe', { charge: 'a-17' });
        await site.level();

        expect(await revisionShown(lost)).toBe(0);
        expect(await revisionShown(other)).toBe(1);
        expect(site.parked).toMatchObject(
          PROJECTIONS.map(({ name }) => ({ projection: name, dossier: lost.id, revision: 1 })),
        );
        expect(site.parked[0]?.error).toBe('essai 1 declares no fact essai.inconnu');
        expect(site.projector.parked()).toEqual(site.parked);
      });

      test('stays parked over a restart, without being announced again', async () => {
        const lost = await opened();
        await lost.record('essai.inconnu');
        await site.level();
        await site.stopProjecting();
        await site.startProjecting();
        await lost.record('demande.charge-designe', { charge: 'a-17' });
        await site.level();
        expect(site.projector.parked()).toHaveLength(PROJECTIONS.length);
        expect(site.parked).toHaveLength(PROJECTIONS.length);
        expect(await revisionShown(lost)).toBe(0);
      });

      test('is parked in the one projection that fails, and tried again when it is rebuilt', async () => {
        let broken = true;
        const fragile: Projection = {
          name: 'fragile',
          version: 1,
          heads: 'fragile',
          tables: { fragile: { columns: { id: 'text', revision: 'integer' }, key: ['id'] } },
          toRow: ({ id, revision }) => ({ id, revision }),
          fromRow: ({ id, revision }) => ({ id: String(id), revision: Number(revision) }),
          fold(_head, { dossier, event }) {
            if (broken && event.envelope.type === 'j0.acceptee') throw new Error('not to my taste');
            return { head: { id: dossier, revision: event.envelope.revision } };
          },
        };
        await site.stopProjecting();
        site.projections = [...PROJECTIONS, fragile];
        await site.startProjecting();
        const dossier = await opened();
        await dossier.record('j0.acceptee');
        await site.level();
        expect(site.parked).toMatchObject([{ projection: 'fragile', dossier: dossier.id, error: 'not to my taste' }]);
        expect(await revisionShown(dossier)).toBe(1);

        broken = false;
        await site.projector.rebuild(['fragile'], () => undefined);
        expect(site.projector.parked()).toEqual([]);
        expect((await site.rows()).fragile).toEqual([{ id: dossier.id, revision: 1 }]);
      });

      test('a row that its table cannot hold parks the dossier too', async () => {
        const careless: Projection = {
          name: 'negligente',
          version: 1,
          heads: 'negligente',
          tables: {
            negligente: { columns: { id: 'text', revision: 'integer' }, key: ['id'] },
            negligente_faits: {
              columns: { dossier: 'text', revision: 'integer', motif: 'text' },
              key: ['dossier', 'revision'],
            },
          },
          toRow: ({ id, revision }) => ({ id, revision }),
          fromRow: ({ id, revision }) => ({ id: String(id), revision: Number(revision) }),
          fold: (_head, { dossier, event, data }) => {
            const { revision } = event.envelope;
            const row = { dossier, revision, motif: data.motif as string };
            return { head: { id: dossier, revision }, rows: { negligente_faits: [row] } };
          },
        };
        await site.stopProjecting();
        site.projections = [careless];
        await site.startProjecting();
        const good = new ToyDossier(site.journal);
        await good.record('demande.deposee', { motif: 'Complet' });
        const bad = await opened();
        await site.level();
        expect(site.parked).toMatchObject([
          { dossier: bad.id, error: 'negligente_faits.motif (text) cannot hold undefined.' },
        ]);
        expect((await site.rows()).negligente_faits).toEqual([{ dossier: good.id, revision: 0, motif: 'Complet' }]);
      });
    });

    describe('rebuilding', () => {
      test('is done beside the live read models, while facts arrive and timelines are read', async () => {
        const dossiers = await Promise.all(Array.from({ length: 40 }, opened));
        for (let i = 0; i < 10; i += 1)
          await Promise.all(dossiers.map((each) => each.record('demande.charge-designe', { charge: `a-${i}` })));
        await site.level();
        const [dossier] = dossiers as [ToyDossier];

        let finished = false;
        const progress: number[] = [];
        const rebuilding = site.projector
          .rebuild('all', ({ facts }) => progress.push(facts))
          .then(() => {
            finished = true;
          });
        let shown = 10;
        while (!finished) {
          await dossier.record('demande.charge-designe', { charge: 'a-99' });
          await site.projector.caughtUp(dossier.position, 5000);
          shown += 1;
          expect(await revisionShown(dossier)).toBe(shown);
        }
        await rebuilding;

        expect(progress.at(-1)).toBeGreaterThanOrEqual(440);
        expect(await revisionShown(dossier)).toBe(shown);
        expect(site.projector.status().projections).toMatchObject(PROJECTIONS.map(() => ({ generation: 2 })));
        expect(await site.tables()).not.toContain('chronologie_g1');
      });

      test('works without a server, and what is rebuilt goes on from there', async () => {
        const dossier = await opened();
        await site.level();
        await site.stopProjecting();
        await dossier.record('j0.acceptee');
        await site.startProjecting({ following: false });
        await site.projector.rebuild(['dossiers'], () => undefined);
        expect((await site.list.page({ today: '2026-06-15' })).items).toMatchObject([{ id: dossier.id, revision: 1 }]);
        await site.projector.start();
        await site.level();
        expect(await revisionShown(dossier)).toBe(1);
      });

      test('refuses the name of a projection that does not exist', async () => {
        await expect(site.projector.rebuild(['chronologies'], () => undefined)).rejects.toThrow(RangeError);
      });

      test('that fails leaves nothing behind, and the live read models as they were', async () => {
        const dossier = await opened();
        await site.level();
        const tables = await site.tables();
        const failing = site.projector.rebuild('all', () => {
          throw new Error('the lights went out');
        });
        await expect(failing).rejects.toThrow('the lights went out');
        expect(await site.tables()).toEqual(tables);
        expect(await revisionShown(dossier)).toBe(0);
      });

      test('drops at the next start what was half built', async () => {
        await opened();
        await site.level();
        const tables = await site.tables();
        for (const projection of PROJECTIONS)
          await createGeneration(site.store, projection, { live: false, version: 1 });
        expect((await site.tables()).length).toBeGreaterThan(tables.length);
        await site.stopProjecting();
        await site.startProjecting();
        expect(await site.tables()).toEqual(tables);
      });
    });

    test('builds anew at start what is of another version, and shows nothing of the old one meanwhile', async () => {
      const dossier = await opened();
      await dossier.record('j0.acceptee');
      await site.level();
      await site.stopProjecting();

      const [chronologie, dossiers] = PROJECTIONS as [Projection, Projection];
      const tables = {
        ...dossiers.tables,
        dossiers_faits: { columns: { dossier: 'text', n: 'integer' }, key: ['dossier'] },
      } as const;
      site.projections = [chronologie, { ...dossiers, version: dossiers.version + 1, tables }];
      await site.startProjecting();
      expect(site.projector.status().projections).toMatchObject([
        { projection: 'chronologie', outdated: false },
        { projection: 'dossiers', outdated: true },
      ]);
      expect(site.projector.position).toBeNull();
      await site.projector.caughtUp(null, 5000);
      expect(site.projector.position).toBe(dossier.position);
      expect(site.projector.status().projections).toMatchObject([
        { projection: 'chronologie', generation: 1 },
        { projection: 'dossiers', generation: 2, version: dossiers.version + 1, outdated: false },
      ]);
      expect((await site.rows()).dossiers).toMatchObject([{ id: dossier.id, jalon: 'J1' }]);
      await dossier.record('j1.validee');
      await site.level();
      expect((await site.rows()).dossiers).toMatchObject([{ id: dossier.id, jalon: 'suivi' }]);
    });

    test('gives what a rebuild gives, whatever the history and wherever it was restarted', async () => {
      const step = fc.record({
        dossier: fc.nat(4),
        act: fc.nat(11),
        pause: fc.constantFrom('none', 'none', 'level', 'restart'),
      });
      await fc.assert(
        fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 60 }), async (steps) => {
          const dossiers = Array.from({ length: 5 }, () => new ToyDossier(site.journal));
          for (const { dossier, act, pause } of steps) {
            await someFact(dossiers[dossier]!, act);
            if (pause === 'level') await site.level();
            if (pause === 'restart') {
              await site.stopProjecting();
              await site.startProjecting();
            }
          }
          await site.level();
          const live = await site.rows();
          await site.projector.rebuild('all', () => undefined);
          expect(await site.rows()).toEqual(live);
          expect(site.parked).toEqual([]);
        }),
        { numRuns: 50 },
      );
    }, 60_000);

    test.each([
      ['while it follows', []],
      ['while it rebuilds', ['rebuilding']],
    ])(
      'survives a kill -9 %s',
      async (_when, args) => {
        await site.stopProjecting();
        await site.journal.close();
        for (const rounds of [1, 3, 6]) await killedAfter(rounds, site, args);

        const survivor = await Site.open(keeping(), PROJECTIONS, site.folder);
        await survivor.level();
        const live = await survivor.rows();
        expect(live.dossiers?.length).toBeGreaterThan(0);
        expect(survivor.said).toEqual([]);
        expect((await survivor.tables()).filter((name) => /^dossiers_g/.test(name))).toHaveLength(1);
        await survivor.projector.rebuild('all', () => undefined);
        expect(await survivor.rows()).toEqual(live);
        expect(survivor.parked).toEqual([]);
        await survivor.stopProjecting();
        await survivor.journal.close();
        site = await Site.open(keeping(), PROJECTIONS, site.folder);
      },
      60_000,
    );
  });
}

function fail(what: unknown): never {
  throw new Error(`This was not to happen: ${String(what)}`);
}

/** Records a fact that the dossier's state allows, chosen by a number. */
async function someFact(dossier: ToyDossier, act: number): Promise<void> {
  const last = dossier.facts.at(-1)?.envelope;
  const earlier = dossier.facts[act % 3]?.envelope;
  const acts: Record<string, [string, Record<string, unknown>][]> = {
    null: [['demande.deposee', deposit(`Société ${act}`, 'Étoile')]],
    'demande.deposee': [
      ['demande.complements-demandes', { avantLe: `2026-0${1 + (act % 9)}-01` }],
      ['j0.acceptee', {}],
      ['dossier.retire', {}],
    ],
    'demande.incomplete': [['demande.complements-recus', {}]],
    'j1.examen': [
      ['j1.avis-rendu', { avantLe: '2026-07-01' }],
      ['demande.visite-prevue', { avantLe: '2026-08-01' }],
      ['j1.validee', { valideJusquAu: '2028-01-01', reserves: [{ id: 'R1', avantLe: '2026-09-01' }] }],
    ],
    'suivi.valide': [
      ['suivi.reserve-levee', { reserve: `R${act % 2}` }],
      ['demande.visite-prevue', { avantLe: '2026-08-01' }],
      ['suivi.expiree', {}],
    ],
  };
  const own = acts[String(dossier.state)] ?? [];
  const free: [string, Record<string, unknown>][] = [
    ['dossier.note-ajoutee', {}],
    ['dossier.cible-annoncee', { jalon: 'J1', periode: `202${act % 10}` }],
  ];
  if (last && earlier && act >= 9 && earlier.revision > 0) {
    const [type, data] =
      act === 10
        ? ['dossier.fait-annule', { fait: earlier.id }]
        : [
            'dossier.fait-rectifie',
            { fait: earlier.id, donnees: { avantLe: '2027-01-01' }, effectiveAt: '2026-01-05' },
          ];
    await dossier.record(type as string, data as Record<string, unknown>, { target: earlier.id });
    return;
  }
  const choice = last === undefined ? own : [...own, ...free];
  const [type, data] = choice[act % choice.length]!;
  await dossier.record(type, data);
}

/** Runs `victim.mjs` on a site's folder and kills it after so many rounds. */
async function killedAfter(rounds: number, { folder, keeping }: Site, args: readonly string[]): Promise<void> {
  const victim = new Peer(new URL('./victim.mjs', import.meta.url), [folder, ...args], keeping.env);
  await victim.until(({ said }) => said.join('').split('.').length > rounds);
  await victim.kill();
}
