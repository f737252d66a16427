import { addDays } from '@jalon/flow';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { StatisticsReader } from './index.ts';
import { type Keeping, Site } from './site.ts';
import { deposit, ToyDossier } from './toy.ts';

/** What statistics say, whatever keeps them. */
export function describeStatistics(keeping: () => Keeping): void {
  describe('les statistiques', () => {
    let site: Site;
    beforeEach(async () => {
      site = await Site.open(keeping());
    });
    afterEach(async () => {
      await site.close();
      expect([...site.errors, ...site.parked]).toEqual([]);
    });

    async function read() {
      await site.level();
      return new StatisticsReader(site.store).read();
    }

    /** A dossier opened on a day, that crosses J0 and J1 so many days after what precedes. */
    async function led(on: string, ...days: number[]): Promise<ToyDossier> {
      const dossier = new ToyDossier(site.journal);
      await dossier.record('demande.deposee', deposit('Nébuleuse', 'Nuage'), { effectiveAt: on });
      const crossings = ['j0.acceptee', 'j1.validee'];
      let effectiveAt = on;
      for (const [i, after] of days.entries()) {
        effectiveAt = addDays(effectiveAt, after);
        await dossier.record(crossings[i] as string, {}, { effectiveAt });
      }
      return dossier;
    }

    const span = (from: string, to: string, durations: object, years: object[]) => ({
      workflow: 'essai',
      from,
      to,
      ...durations,
      years,
    });
    const spread = (count: number, [min, q1, median, q3, p90, max]: number[]) => ({
      count,
      min,
      q1,
      median,
      q3,
      p90,
      max,
    });
    const one = (days: number) => spread(1, Array(6).fill(days));

    test('ne disent rien tant qu’il n’y a pas de dossier', async () => {
      expect(await read()).toEqual({ durations: [], crossings: [], inProgress: [], ended: [] });
    });

    test('comptent les durées d’un jalon à l’autre, et du dépôt au premier et au dernier, par année', async () => {
      await led('2025-01-01', 30, 100);
      await led('2025-12-01', 60);
      const { durations } = await read();
      expect(durations).toEqual([
        span('depot', 'J0', spread(2, [30, 30, 45, 60, 60, 60]), [
          { year: 2025, ...one(30) },
          { year: 2026, ...one(60) },
        ]),
        span('depot', 'J1', one(130), [{ year: 2025, ...one(130) }]),
        span('J0', 'J1', one(100), [{ year: 2025, ...one(100) }]),
      ]);
    });

    test('donnent les extrêmes, la médiane, les quartiles et le neuvième décile, au plus proche rang', async () => {
      for (let i = 1; i <= 20; i += 1) await led('2025-01-01', i);
      const [first] = (await read()).durations;
      expect(first).toMatchObject({ from: 'depot', to: 'J0', ...spread(20, [1, 5, 10.5, 15, 18, 20]) });
      await led('2025-01-01', 400);
      expect((await read()).durations[0]).toMatchObject(spread(21, [1, 6, 11, 16, 19, 400]));
    });

    test('disent combien de dossiers ont été ouverts et ont franchi chaque jalon, mois par mois', async () => {
      await led('2025-01-01', 30, 100);
      await led('2025-01-15', 16);
      await led('2025-03-31');
      const month = (name: string, count: number) => ({ month: name, count });
      expect((await read()).crossings).toEqual([
        { workflow: 'essai', jalon: 'depot', months: [month('2025-01', 2), month('2025-03', 1)] },
        { workflow: 'essai', jalon: 'J0', months: [month('2025-01', 2)] },
        { workflow: 'essai', jalon: 'J1', months: [month('2025-05', 1)] },
      ]);
    });

    test('disent combien de dossiers avancent vers chaque jalon, et combien sont finis', async () => {
      await led('2025-01-01');
      await led('2025-01-01');
      await led('2025-01-01', 30);
      const over = await led('2025-01-01');
      await over.record('dossier.retire');
      expect(await read()).toMatchObject({
        inProgress: [
          { workflow: 'essai', jalon: 'J0', count: 2 },
          { workflow: 'essai', jalon: 'J1', count: 1 },
        ],
        ended: [{ workflow: 'essai', count: 1 }],
      });
    });

    test('suivent les corrections : une date rectifiée, un jalon annulé', async () => {
      const dossier = await led('2025-01-01', 30, 100);
      const [opening, acceptance, decision] = dossier.facts.map(({ envelope }) => envelope.id) as [
        string,
        string,
        string,
      ];
      const rectify = (fait: string, effectiveAt: string) =>
        dossier.record('dossier.fait-rectifie', { fait, donnees: {}, effectiveAt, motif: 'E' }, { target: fait });
      await rectify(acceptance, '2025-02-10');
      expect((await read()).durations).toMatchObject([
        { from: 'depot', to: 'J0', median: 40 },
        { from: 'depot', to: 'J1', median: 130 },
        { from: 'J0', to: 'J1', median: 90 },
      ]);
      await rectify(opening, '2025-01-11');
      const data = { fait: decision, motif: 'E' };
      await dossier.record('dossier.fait-annule', data, { target: decision, to: 'j1.examen' });
      expect(await read()).toMatchObject({
        durations: [{ from: 'depot', to: 'J0', median: 30 }],
        inProgress: [{ jalon: 'J1', count: 1 }],
      });
    });
  });
}
