import 'reflect-metadata';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Caller } from '@jalon/engine';
import { archiveOf } from '@jalon/journal';
import { openProduct, type Product } from '../apps/api/product.ts';
import { catalogue } from '../workflows/index.ts';
import { fact, type Step, upTo, walkToJ3, wayTo } from './walk.ts';

/**
 * Records the golden histories of a version when it is published: one archive, never written again. Later builds replay
 * it to the letter. `npm run histories -- secnumcloud/v1`.
 */

const [version = ''] = process.argv.slice(2);
const known = catalogue.workflows.map(({ name, version: number }) => `${name}/v${number}`);
if (!known.includes(version)) throw new Error(`Name a version to record: ${known.join(', ')}.`);
const file = fileURLToPath(new URL(`histories/${version.replace('/', '-')}.jsonl`, import.meta.url));
if (existsSync(file)) throw new Error(`${file} is there: golden histories are recorded once.`);

const on = (effectiveAt: string, type: string, changes: Record<string, unknown> = {}) =>
  fact(type, changes, { effectiveAt });

/** A correction of the nth fact of a type among those already recorded, by whoever proposed it. */
type Act = Step | { corrects: string; nth?: number; annuls?: true; donnees?: Record<string, unknown>; by?: string };

const endings = ['refusee', 'cloturee', 'retiree-par-le-demandeur', 'refusee-j3', 'abrogee', 'retiree', 'renoncee'];

const STORIES: readonly (readonly Act[])[] = [
  ...endings.map(wayTo),
  // A qualification that lives on, is suspended, is restored, and whose end of validity is corrected after it expired.
  [
    ...walkToJ3(),
    on('2025-07-05', 'suivi.decision-notifiee', { le: '2025-07-05' }),
    on('2025-07-10', 'suivi.decision-publiee', { le: '2025-07-10' }),
    on('2025-09-01', 'suivi.surveillance-realisee'),
    on('2025-09-15', 'suivi.controle-ordonne'),
    on('2025-10-01', 'suivi.modification-notifiee'),
    on('2025-10-10', 'suivi.reserve-levee'),
    on('2025-11-03', 'suivi.griefs-notifies'),
    on('2025-12-01', 'suivi.observations-presentees'),
    on('2026-01-12', 'suivi.qualification-suspendue'),
    on('2026-03-02', 'suivi.suspension-levee'),
    on('2026-04-01', 'suivi.perimetre-modifie'),
    on('2026-05-04', 'suivi.griefs-notifies', { observationsAvantLe: '2026-06-30' }),
    on('2026-07-01', 'suivi.griefs-abandonnes'),
    on('2028-07-01', 'suivi.qualification-expiree'),
    { corrects: 'j3.qualification-accordee', donnees: { valideDu: '2025-07-02', valideJusquAu: '2028-07-01' } },
    on('2028-07-02', 'suivi.qualification-expiree'),
    { corrects: 'suivi.qualification-expiree', nth: 2, annuls: true, by: 'directeur-general' },
    fact('dossier.note-ajoutee'),
    { corrects: 'dossier.note-ajoutee', donnees: { texte: 'Rappeler en septembre.' } },
  ],
  // Everything that can go back: a rejected strategy and report, an interruption, an amended strategy, a withdrawn avis.
  [
    ...upTo('j1.strategie-proposee'),
    on('2024-12-10', 'j1.complements-demandes', { avantLe: '2024-12-31' }),
    on('2024-12-12', 'j1.strategie-proposee'),
    on('2024-12-16', 'j1.strategie-rejetee'),
    on('2024-12-17', 'j1.centre-choisi'),
    on('2024-12-18', 'j1.strategie-proposee'),
    ...walkToJ3().slice(10, -5),
    on('2025-04-29', 'j2.evaluation-interrompue'),
    on('2025-04-30', 'j2.evaluation-reprise'),
    on('2025-05-05', 'j2.rapport-remis'),
    on('2025-05-06', 'j2.rapport-rejete'),
    on('2025-05-07', 'j2.strategie-a-amender'),
    on('2025-05-07', 'j1.centre-choisi'),
    on('2025-05-08', 'j1.strategie-proposee'),
    on('2025-05-09', 'j1.strategie-validee'),
    on('2025-05-10', 'j2.plan-valide'),
    on('2025-05-12', 'j2.rapport-remis'),
    on('2025-05-13', 'j2.verification-demandee', { avantLe: '2025-05-31' }),
    on('2025-05-14', 'j2.verification-remise'),
    on('2025-05-19', 'j2.rapport-accepte'),
    on('2025-06-10', 'j3.enquete-conclue'),
    on('2025-06-17', 'j3.avis-rendu'),
    on('2025-06-18', 'j3.avis-retire'),
    on('2025-06-19', 'j3.avis-rendu'),
    on('2025-07-01', 'j3.qualification-accordee'),
  ],
  // Corrections of corrections, and a milestone annulled and crossed again.
  [
    ...upTo('j0.acceptee'),
    { corrects: 'candidature.accuse-emis', donnees: { reference: 'AR-2024-118 bis' } },
    { corrects: 'dossier.fait-rectifie', annuls: true },
    { corrects: 'j0.acceptee', annuls: true },
    on('2024-10-18', 'j0.acceptee'),
    on('2024-11-04', 'j1.centre-choisi'),
    { corrects: 'j1.centre-choisi', donnees: { agrement: { reference: 'CE-2024-09', valideJusquAu: '2028-01-31' } } },
  ],
];

const ORGS: Readonly<Record<string, string>> = {
  prestataire: 'Nuage de Brocéliande',
  'centre-evaluation': "Centre d'évaluation de Rennes",
};

const callerOf = (role: string): Caller => ({
  iss: 'https://connexion.example',
  sub: `${role}-1`,
  roles: [role],
  name: `Titulaire du rôle ${role}`,
  ...(ORGS[role] ? { org: ORGS[role] } : {}),
});

const folder = mkdtempSync(join(tmpdir(), 'jalon-histories-'));
let now = new Date();
const product = await openProduct(
  folder,
  () => now,
  (what) => process.stderr.write(`${what}\n`),
);
let facts = 0;
for (const story of STORIES) facts += await live(product, story);
mkdirSync(join(file, '..'), { recursive: true });
let text = '';
for await (const line of archiveOf(product.journal, product.directory)) text += line;
await product.close();
rmSync(folder, { recursive: true });
writeFileSync(file, text, { flag: 'wx' });
process.stdout.write(`${file}: ${STORIES.length} dossiers, ${facts} facts\n`);

async function live({ engine }: Product, story: readonly Act[]): Promise<number> {
  const recorded: { id: string; type: string; data: Record<string, unknown>; role: string }[] = [];
  let dossier = '';
  now = new Date('2024-09-01T07:00:00Z');
  for (const act of story) {
    const step = 'corrects' in act ? correction(act) : act;
    const { role, ...body } = step;
    const day = new Date(`${body.effectiveAt ?? '1970-01-01'}T09:00:00Z`);
    now = day > now ? day : new Date(now.getTime() + 3_600_000);
    const conditions = { route: 'histories' };
    const { event } = dossier
      ? await engine.advance(callerOf(role), dossier, body, conditions)
      : await engine.open(callerOf(role), { workflow: version.split('/')[0], fact: body }, conditions);
    dossier ||= event.envelope.stream.slice('dossier-'.length);
    recorded.push({ id: event.envelope.id, type: body.type, data: body.data, role });
  }
  return recorded.length;

  function correction({ corrects, nth = 1, annuls, donnees, by }: Exclude<Act, Step>): Step {
    const touched = recorded.filter(({ type }) => type === corrects)[nth - 1];
    if (!touched) throw new Error(`There is no ${corrects} number ${nth} to correct.`);
    const data = { fait: touched.id, motif: 'Erreur de saisie' };
    return annuls
      ? { type: 'dossier.fait-annule', role: by ?? touched.role, data }
      : {
          type: 'dossier.fait-rectifie',
          role: by ?? touched.role,
          data: { ...data, donnees: { ...touched.data, ...donnees } },
        };
  }
}
