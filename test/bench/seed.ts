import { readFileSync } from 'node:fs';
import { openProduct, type Product } from '../../apps/api/product.ts';
import { fact, type Step } from '../walk.ts';

// Read as a file: the procedure's own data is behind its door.
const referentiel = new URL('../../workflows/secnumcloud/v1/secnumcloud-3.2.json', import.meta.url);
const { requirements } = JSON.parse(readFileSync(referentiel, 'utf8')) as { requirements: string[] };

/** Organisation of each role that has one. */
export const ORGS: Record<string, string> = {
  prestataire: 'Nuage de Brocéliande',
  'centre-evaluation': "Centre d'évaluation de Rennes",
};

/** The way to an open audit: eleven facts, after which findings can be recorded. */
function wayToAudit(): Step[] {
  const pieces = ['architecture', 'mesures-de-securite', 'reseaux', 'equipements', 'serveurs', 'sous-traitants'];
  const piece = (categorie: string) => ({
    categorie,
    document: { reference: 'D', titre: categorie, empreinte: 'a1'.repeat(32) },
  });
  const on = (effectiveAt: string, type: string, changes = {}) => fact(type, changes, { effectiveAt });
  return [
    on('2024-09-02', 'candidature.deposee', { pieces: pieces.map(piece) }),
    on('2024-09-05', 'candidature.accuse-emis'),
    on('2024-09-06', 'candidature.charge-designe'),
    on('2024-10-08', 'candidature.completee'),
    on('2024-10-15', 'j0.acceptee'),
    on('2024-11-04', 'j1.centre-choisi'),
    on('2024-12-02', 'j1.strategie-proposee'),
    on('2025-01-13', 'j1.strategie-validee'),
    on('2025-01-27', 'j2.plan-valide'),
    on('2025-01-28', 'j2.audit-planifie'),
    on('2025-02-10', 'j2.audit-ouvert'),
  ];
}

/** The n-th finding of a dossier: each requirement in turn, one in ten not met. */
export function finding(n: number): Step {
  const exigence = requirements[n % requirements.length] as string;
  const missed = n % 10 === 9;
  const verdict = missed
    ? { verdict: 'non-conforme', gravite: 'mineure' }
    : { verdict: 'conforme', gravite: undefined };
  return fact('j2.constat-releve', { constat: `c${n}`, exigence, ...verdict }, { effectiveAt: '2025-02-12' });
}

/** Fills a folder with dossiers of the given numbers of facts through the engine, 64 at a time; their ids, in order. */
export async function seed(folder: string, sizes: readonly number[], say: (line: string) => void): Promise<string[]> {
  const product = await openProduct(folder, () => new Date(), say);
  const ids = new Array<string>(sizes.length);
  let next = 0;
  const one = async () => {
    for (let index = next++; index < sizes.length; index = next++)
      ids[index] = await dossier(product, sizes[index] as number);
  };
  await Promise.all(Array.from({ length: 64 }, one));
  await product.projector.caughtUp((await product.journal.tip()) ?? -1n, 60_000);
  await product.close();
  return ids;
}

function dossier(product: Product, size: number): Promise<string> {
  const steps = [...wayToAudit(), ...Array.from({ length: Math.max(0, size - 11) }, (_, n) => finding(n))];
  return led(product, steps.slice(0, size));
}

/** Leads a dossier through facts by the engine, each proposed by its role; its id. */
export async function led({ engine }: Product, steps: readonly Step[]): Promise<string> {
  let id: string | undefined;
  for (const { role, ...proposed } of steps) {
    const org = ORGS[role];
    const caller = {
      iss: 'urn:bench',
      sub: `bench-${role}`,
      roles: [role],
      name: `Banc ${role}`,
      ...(org ? { org } : {}),
    };
    const { dossier: now } =
      id === undefined
        ? await engine.open(caller, { workflow: 'secnumcloud', fact: proposed }, { route: 'bench' })
        : await engine.advance(caller, id, proposed, { route: 'bench' });
    id = now.id;
  }
  return id as string;
}
