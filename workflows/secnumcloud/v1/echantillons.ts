import { daysBetween, type Sample, type Standing } from '@jalon/flow';
import { type Audit, type Context, categoriesManquantes, estOuvert } from './context.ts';
import { CATEGORIES } from './facts.ts';
import { CENTRE, CHARGE, CHEF, DIRECTEUR, HORLOGE, PRESTATAIRE } from './roles.ts';

/** A dossier to which facts are proposed, and what is proposed of one type of fact there. */
export type Dossier = Standing<Context>;
export type Echantillon = (dossier: Dossier) => readonly Sample[];

const document = { reference: 'D', titre: 'D', empreinte: '0'.repeat(64) };
const piece = (categorie: string) => ({ categorie, document });
const motif = 'M';
const motifs = [motif];
const decision = 'N';
const reference = 'R';

/** Services of every application, and one that is none of them. */
const SERVICES = ['a', 'b'];
const AILLEURS = 'z';

/** Phases that a strategy may have: the first is on site. */
export const PHASES = ['p1', 'p2'] as const;
const PHASES_PROPOSEES = [
  { id: 'p1', objet: 'O', mode: 'sur-site' },
  { id: 'p2', objet: 'O', mode: 'documents' },
];

/** Who gives opinions and decides: two persons of one issuer, and the namesake of the first at another. */
export const PERSONNES = [
  { iss: 'urn:un', sub: 'x' },
  { iss: 'urn:un', sub: 'y' },
  { iss: 'urn:deux', sub: 'x' },
] as const;

/** A day long before any of these dossiers, another dossier, and ids that none of them knows. */
const JADIS = '2000-01-01';
const AUTRE = '11111111-2222-4333-8444-555555555555';
const INCONNU = 'inconnu';

const candidature = (manquantes: readonly string[] = []) => ({
  prestataire: { nom: 'P' },
  offre: 'O',
  services: SERVICES.map((id) => ({ id, nom: id, type: 'IaaS' })),
  referentiel: { nom: 'SecNumCloud', version: '3.2' },
  pieces: CATEGORIES.filter((categorie) => !manquantes.includes(categorie)).map(piece),
  sousTraitants: [],
});

const strategie = (services: readonly string[], phases: readonly object[]) => ({
  document,
  perimetre: { services, sites: [] },
  phases,
});

const accord = ({ day }: Dossier, jour: number, fin: number) => ({
  ...{ decision, decideeLe: day(jour), valideDu: day(jour), valideJusquAu: day(jour + fin) },
  ...{ services: ['a'], conditions: [], reserves: [] as object[] },
});

const un =
  (role: string, data: Record<string, unknown> = {}): Echantillon =>
  () => [{ role, data }];

/** One content per fact: enough where no rule that is applied asks more. */
export const UNIQUES: Readonly<Record<string, Echantillon>> = {
  'candidature.deposee': () => [{ role: PRESTATAIRE, data: candidature(), days: [0] }],
  'candidature.accuse-emis': un(CHARGE, { reference }),
  'candidature.charge-designe': un(CHEF, { charge: 'c' }),
  'candidature.complements-demandes': ({ day }) => [
    { role: CHARGE, data: { pieces: ['reseaux'], avantLe: day(1), motif } },
  ],
  'candidature.complements-recus': un(PRESTATAIRE, { pieces: [piece('reseaux')] }),
  'candidature.completee': un(CHARGE),
  'j0.acceptee': un(CHARGE, { reference, notifieeLe: JADIS }),
  'candidature.refusee': un(CHARGE, { motifs }),
  'candidature.cloturee': un(CHARGE, { motif }),

  'j1.centre-choisi': ({ day }) => [
    { role: PRESTATAIRE, data: { centre: 'C', agrement: { reference, valideJusquAu: day(9) } } },
  ],
  'j1.strategie-proposee': un(CENTRE, strategie(SERVICES, PHASES_PROPOSEES)),
  'j1.complements-demandes': un(CHARGE, { motifs, avantLe: JADIS }),
  'j1.strategie-rejetee': un(CHARGE, { motifs }),
  'j1.strategie-validee': un(CHARGE, { reference, notifieeLe: JADIS }),

  'j2.plan-valide': un(CHARGE, { document }),
  'j2.audit-planifie': ({ day, fresh }) => [
    { role: CENTRE, data: { audit: fresh('A'), phase: 'p1', du: day(0), au: day(0) } },
  ],
  'j2.audit-ouvert': un(CENTRE, { audit: INCONNU }),
  'j2.constat-releve': un(CENTRE, {
    ...{ constat: INCONNU, audit: INCONNU, exigence: '5.1.a' },
    ...{ verdict: 'non-conforme', gravite: 'majeure', description: 'D' },
  }),
  'j2.plan-d-action-remis': un(PRESTATAIRE, { constat: INCONNU, mesures: 'M', avantLe: JADIS }),
  'j2.ecart-leve': un(CENTRE, { constat: INCONNU, preuve: document }),
  'j2.audit-clos': un(CENTRE, { audit: INCONNU }),
  'j2.rapport-remis': un(CENTRE, { rapport: document }),
  'j2.verification-demandee': un(CHARGE, { objet: 'O', avantLe: JADIS }),
  'j2.verification-remise': un(CENTRE, { rapport: document }),
  'j2.rapport-rejete': un(CHARGE, { motifs }),
  'j2.rapport-accepte': un(CHARGE, { reference, notifieLe: JADIS }),
  'j2.strategie-a-amender': un(CHARGE, { motif }),
  'j2.evaluation-interrompue': un(CHARGE, { motif }),
  'j2.evaluation-reprise': un(CHARGE, { motif }),

  'j3.enquete-conclue': un(CHARGE, { resultat: 'defavorable', reference }),
  'j3.avis-rendu': un(CHEF, { sens: 'refuser', motifs }),
  'j3.avis-retire': un(CHEF, { motif }),
  'j3.qualification-accordee': (dossier) => [{ role: DIRECTEUR, data: accord(dossier, 0, 1) }],
  'j3.qualification-refusee': ({ day }) => [
    { role: DIRECTEUR, data: { decision, decideeLe: day(0), motifs, voiesDeRecours: 'V' } },
  ],

  'suivi.decision-notifiee': ({ day }) => [{ role: CHARGE, data: { le: day(0), reference } }],
  'suivi.decision-publiee': ({ day }) => [{ role: CHARGE, data: { le: day(0), reference } }],
  'suivi.surveillance-realisee': un(CHARGE, { document, conclusion: 'C' }),
  'suivi.controle-ordonne': un(CHARGE, { motif }),
  'suivi.modification-notifiee': un(PRESTATAIRE, { description: 'D' }),
  'suivi.perimetre-modifie': un(DIRECTEUR, { decision, services: ['a'], motif }),
  'suivi.reserve-levee': un(CHARGE, { reserve: INCONNU, preuve: document }),
  'suivi.griefs-notifies': ({ day }) => [{ role: DIRECTEUR, data: { griefs: motifs, observationsAvantLe: day(1) } }],
  'suivi.observations-presentees': un(PRESTATAIRE, { document }),
  'suivi.griefs-abandonnes': un(DIRECTEUR, { motif }),
  'suivi.qualification-suspendue': un(DIRECTEUR, { decision, motifs }),
  'suivi.suspension-levee': un(DIRECTEUR, { decision, motif }),
  'suivi.qualification-abrogee': ({ day }) => [{ role: DIRECTEUR, data: { decision, motifs, effetLe: day(0) } }],
  'suivi.qualification-retiree': un(DIRECTEUR, { decision, motifs }),
  'suivi.renonciation': un(PRESTATAIRE, { motif }),
  'suivi.renouvellement-demande': un(PRESTATAIRE, { dossier: AUTRE }),
  'suivi.qualification-expiree': un(HORLOGE),

  'dossier.retire': un(PRESTATAIRE, { motif }),
  'dossier.cible-annoncee': () => [
    { role: PRESTATAIRE, data: { jalon: 'J3', periode: '2025', source: 'S' }, days: [0] },
  ],
  'dossier.note-ajoutee': () => [{ role: CHARGE, data: { texte: 'T' }, days: [-1] }],
};

/** Audits that are planned or open, in an order that depends on what they are, not on when they were recorded. */
export function auditsEnCours({ audits }: Context): (Audit & { id: string })[] {
  return Object.entries(audits)
    .filter(([, { etat }]) => etat !== 'clos')
    .map(([id, audit]) => ({ ...audit, id }))
    .sort((a, b) => compare(a.phase, b.phase) || compare(a.etat, b.etat) || compare(a.du, b.du) || compare(a.id, b.id));
}

/** Open non-conformities, by what rules make of them: a plan matters to a minor one only. In the same kind of order. */
export function ecartsOuverts({ constats }: Context): { id: string; sorte: string }[] {
  return Object.entries(constats)
    .filter(([, constat]) => estOuvert(constat))
    .map(([id, { gravite, plan }]) => ({
      id,
      sorte: gravite === 'mineure' && plan ? 'mineure avec plan' : `${gravite}`,
    }))
    .sort((a, b) => compare(a.sorte, b.sorte) || compare(a.id, b.id));
}

const compare = (a: string, b: string) => (a < b ? -1 : Number(a > b));

/** One open non-conformity of each sort, and one that is none. */
function ecarts({ context }: Dossier): string[] {
  const ouverts = new Map(ecartsOuverts(context).map(({ id, sorte }) => [sorte, id]));
  return [...['mineure', 'mineure avec plan', 'majeure'].flatMap((sorte) => ouverts.get(sorte) ?? []), INCONNU];
}

/** How much goes on at a time. */
export type Bornes = {
  /** Audits of a phase that are planned or open. */
  audits: number;
  /** Open non-conformities. */
  ecarts: number;
  /** Days after the last dated fact. */
  jours: readonly number[];
};

/** Contents that make each rule hold and fail, within bounds. */
export function variees({ audits, ecarts: permis, jours }: Bornes): Readonly<Record<string, Echantillon>> {
  const dernier = jours.at(-1) ?? 0;
  const tousLesAudits =
    (role: string): Echantillon =>
    (dossier) =>
      [...auditsEnCours(dossier.context).map(({ id }) => id), INCONNU].map((audit) => ({ role, data: { audit } }));

  return {
    ...UNIQUES,
    'candidature.deposee': () =>
      [
        { data: candidature() },
        { data: candidature(['reseaux']) },
        { data: { ...candidature(), referentiel: { nom: 'SecNumCloud', version: '0' } } },
        { data: { ...candidature(), renouvelleDe: AUTRE }, lookups: { [AUTRE]: null } },
      ].map((sample) => ({ role: PRESTATAIRE, days: [0], ...sample })),
    'candidature.charge-designe': designation(jours),
    'candidature.complements-demandes': ({ day }) =>
      jours.map((jour) => ({ role: CHARGE, data: { pieces: ['reseaux'], avantLe: day(jour), motif } })),
    'candidature.complements-recus': ({ context }) =>
      ['reseaux', ...categoriesManquantes(context, CATEGORIES), 'serveurs']
        .filter((categorie, i, all) => all.indexOf(categorie) === i)
        .map((categorie) => ({ role: PRESTATAIRE, data: { pieces: [piece(categorie)] } })),

    'candidature.cloturee': () => [{ role: CHARGE, data: { motif }, days: [...jours, dernier + 1] }],

    'j1.centre-choisi': ({ day }) => [
      { role: PRESTATAIRE, data: { centre: 'C', agrement: { reference, valideJusquAu: day(0) } } },
      { role: PRESTATAIRE, data: { centre: 'C', agrement: { reference, valideJusquAu: day(-1) } } },
    ],
    'j1.strategie-proposee': () =>
      [
        strategie(SERVICES, PHASES_PROPOSEES.slice(0, 1)),
        strategie(['a'], PHASES_PROPOSEES),
        strategie([AILLEURS], PHASES_PROPOSEES),
        strategie(['a'], PHASES_PROPOSEES.slice(1)),
      ].map((data) => ({ role: CENTRE, data })),

    'j2.audit-planifie': ({ context, day, fresh }) => {
      const audit = fresh('A');
      const enCours = auditsEnCours(context);
      const pris = enCours[0]?.id;
      const libres = PHASES.filter((libre) => enCours.filter(({ phase }) => phase === libre).length < audits);
      const bons = libres.flatMap((phase) => jours.map((jour) => ({ phase, audit, du: day(jour), au: day(jour) })));
      const mauvais = [
        { phase: AILLEURS, audit, du: day(0), au: day(0) },
        { phase: 'p1', audit, du: day(1), au: day(0) },
        ...(pris === undefined ? [] : [{ phase: 'p1', audit: pris, du: day(0), au: JADIS }]),
      ];
      return [...bons, ...mauvais].map((data) => ({ role: CENTRE, data }));
    },
    'j2.audit-ouvert': tousLesAudits(CENTRE),
    'j2.audit-clos': tousLesAudits(CENTRE),
    'j2.constat-releve': ({ context, fresh }) => {
      const ouvert = auditsEnCours(context).find(({ etat }) => etat === 'ouvert')?.id;
      if (ouvert === undefined) return UNIQUES['j2.constat-releve']?.({ context } as Dossier) ?? [];
      const conforme = {
        ...{ constat: fresh('C'), audit: ouvert, exigence: '5.1.a', verdict: 'conforme', description: 'D' },
      };
      const ecart = (gravite: string) => ({ ...conforme, verdict: 'non-conforme', gravite });
      const place = ecartsOuverts(context).length < permis;
      const pris = ecartsOuverts(context)[0]?.id;
      return [
        conforme,
        ...(place ? [ecart('mineure'), ecart('majeure')] : []),
        { ...conforme, verdict: 'non-conforme' },
        { ...conforme, exigence: '0.0.z' },
        ...(pris === undefined ? [] : [{ ...conforme, constat: pris }]),
      ].map((data) => ({ role: CENTRE, data }));
    },
    'j2.plan-d-action-remis': (dossier) =>
      ecarts(dossier).map((constat) => ({ role: PRESTATAIRE, data: { constat, mesures: 'M', avantLe: JADIS } })),
    'j2.ecart-leve': (dossier) =>
      ecarts(dossier).map((constat) => ({ role: CENTRE, data: { constat, preuve: document } })),

    'j3.enquete-conclue': () =>
      ['favorable', 'defavorable'].map((resultat) => ({ role: CHARGE, data: { resultat, reference } })),
    'j3.avis-rendu': () =>
      PERSONNES.slice(0, 2).map((author) => ({ role: CHEF, data: { sens: 'refuser', motifs }, author })),
    'j3.qualification-accordee': (dossier) => {
      const { day } = dossier;
      const [x, y] = PERSONNES;
      return jours.flatMap((jour) => {
        const bon = accord(dossier, jour, 1);
        return [
          { data: bon, author: x },
          { data: bon, author: y },
          { data: accord(dossier, jour, 2), author: y },
          { data: { ...bon, reserves: [{ id: 'R1', texte: 'T', avantLe: JADIS }] }, author: y },
          { data: { ...bon, services: [AILLEURS] }, author: y },
          { data: { ...bon, decideeLe: day(jour + 1) }, author: y },
          { data: { ...bon, valideDu: JADIS, valideJusquAu: '2000-12-31' }, author: y },
          { data: { ...bon, valideDu: day(jour + 1) }, author: y },
          { data: { ...bon, valideJusquAu: day(jour + 2000) }, author: y },
        ].map((sample) => ({ role: DIRECTEUR, days: [jour], ...sample }));
      });
    },
    'j3.qualification-refusee': ({ day }) =>
      PERSONNES.slice(0, 2).map((author) => ({
        ...{ role: DIRECTEUR, author },
        data: { decision, decideeLe: day(0), motifs, voiesDeRecours: 'V' },
      })),

    'suivi.decision-notifiee': dates,
    'suivi.decision-publiee': dates,
    'suivi.perimetre-modifie': () =>
      ['a', AILLEURS].map((service) => ({ role: DIRECTEUR, data: { decision, services: [service], motif } })),
    'suivi.reserve-levee': () =>
      ['R1', INCONNU].map((reserve) => ({ role: CHARGE, data: { reserve, preuve: document } })),
    'suivi.griefs-notifies': griefsDates(jours),
    'suivi.qualification-abrogee': ({ context, day }) => {
      const fin = context.decision?.valideJusquAu ?? day(0);
      return [day(0), fin, day(2000)]
        .filter((date, i, all) => all.indexOf(date) === i)
        .map((effetLe) => ({ role: DIRECTEUR, data: { decision, motifs, effetLe } }));
    },
    'suivi.renouvellement-demande': ({ dossier }) =>
      [{ revision: 0, renouvelleDe: dossier }, { revision: 0, renouvelleDe: null }, null].map((other) => ({
        ...{ role: PRESTATAIRE, data: { dossier: AUTRE }, lookups: { [AUTRE]: other } },
      })),
    'suivi.qualification-expiree': ({ context, day }) => {
      const fin = daysBetween(day(0), context.decision?.valideJusquAu ?? day(0));
      return [{ role: HORLOGE, data: {}, days: [...new Set([...jours, fin, fin + 1, fin + 2])] }];
    },
  };
}

const dates: Echantillon = ({ day }) => [day(0), JADIS].map((le) => ({ role: CHARGE, data: { le, reference } }));

/** Grievances to be answered by one of these days. */
export function griefsDates(jours: readonly number[]): Echantillon {
  return ({ day }) =>
    jours.map((jour) => ({ role: DIRECTEUR, data: { griefs: motifs, observationsAvantLe: day(jour) } }));
}

/** A designation matters to the application only: later on, its date is no rule's affair. */
function designation(jours: readonly number[]): Echantillon {
  return ({ state }) => [
    { role: CHEF, data: { charge: 'c' }, days: state?.startsWith('candidature') ? [-1, ...jours] : [0] },
  ];
}

/** These facts, proposed by each person in turn. */
export function parPersonne(...types: string[]): Readonly<Record<string, Echantillon>> {
  const parChacune =
    (unique: Echantillon): Echantillon =>
    (dossier) =>
      PERSONNES.flatMap((author) => unique(dossier).map((sample) => ({ ...sample, author })));
  return Object.fromEntries(types.map((type) => [type, parChacune(UNIQUES[type] as Echantillon)]));
}

/** Contents whose dates vary; one audit goes on at a time. */
export function datees({ jours }: Bornes): Readonly<Record<string, Echantillon>> {
  const toutes = variees({ audits: 1, ecarts: 0, jours });
  const types = [
    ...['candidature.charge-designe', 'candidature.complements-demandes', 'candidature.cloturee', 'j1.centre-choisi'],
    ...['j2.audit-ouvert', 'j2.audit-clos', 'suivi.decision-notifiee', 'suivi.decision-publiee'],
    ...['suivi.griefs-notifies', 'suivi.qualification-abrogee', 'suivi.qualification-expiree'],
  ];
  return {
    ...UNIQUES,
    ...Object.fromEntries(types.map((type) => [type, toutes[type] as Echantillon])),
    'j2.audit-planifie': ({ context, day, fresh }) => {
      if (auditsEnCours(context).length > 0) return [];
      return jours.map((jour) => {
        const data = { audit: fresh('A'), phase: 'p1', du: day(jour), au: day(jour) };
        return { role: CENTRE, data };
      });
    },
    'j3.qualification-accordee': (dossier) =>
      jours.flatMap((jour) =>
        [1, 2].map((fin) => ({ role: DIRECTEUR, data: accord(dossier, jour, fin), days: [-1, jour] })),
      ),
  };
}
