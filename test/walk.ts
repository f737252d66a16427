/**
 * Facts of a SecNumCloud dossier as plain data: one valid example of every fact, and a whole way from the application to
 * the decision of J3. Every kind of test starts from them: the rules, HTTP, benches, the README. The company is invented.
 */

/** A fact to propose: who would, when it is true, what it says. */
export type Step = { type: string; role: string; data: Record<string, unknown>; effectiveAt?: string };

/** Digest of no file: a text repeated to the length of a SHA-256. */
const digest = (seed: string) => seed.repeat(64).slice(0, 64);

export const document = (titre: string, seed = 'a1') => ({ reference: `DOC-${seed}`, titre, empreinte: digest(seed) });

export const piece = (categorie: string) => ({ categorie, document: document(`Pièce ${categorie}`) });

/** Another dossier, where a fact names one. */
export const OTHER = '11111111-2222-4333-8444-555555555555';

const PRESTATAIRE = 'prestataire';
const CENTRE = 'centre-evaluation';
const CHARGE = 'charge-de-qualification';
const CHEF = 'chef-de-bureau';
const DIRECTEUR = 'directeur-general';

/** One example of every fact: who proposes it, and a payload that is valid where the fact is expected. */
export const EXAMPLES: Readonly<Record<string, { role: string; data: Record<string, unknown> }>> = {
  'candidature.deposee': {
    role: PRESTATAIRE,
    data: {
      prestataire: { nom: 'Nuage de Brocéliande', siren: '732829320' },
      offre: 'Brocéliande Cloud',
      services: [
        { id: 'iaas', nom: 'Brocéliande Machines', type: 'IaaS' },
        { id: 'caas', nom: 'Brocéliande Conteneurs', type: 'CaaS' },
      ],
      referentiel: { nom: 'SecNumCloud', version: '3.2' },
      pieces: ['architecture', 'mesures-de-securite', 'reseaux', 'equipements', 'serveurs'].map(piece),
      sousTraitants: [{ nom: 'Hébergeur de Paimpont', pays: 'FR' }],
    },
  },
  'candidature.accuse-emis': { role: CHARGE, data: { reference: 'AR-2024-118' } },
  'candidature.charge-designe': { role: CHEF, data: { charge: 'c.martin' } },
  'candidature.complements-demandes': {
    role: CHARGE,
    data: { pieces: ['sous-traitants'], avantLe: '2024-10-15', motif: 'La liste des sous-traitants manque.' },
  },
  'candidature.complements-recus': { role: PRESTATAIRE, data: { pieces: [piece('sous-traitants')] } },
  'candidature.completee': { role: CHARGE, data: {} },
  'j0.acceptee': { role: CHARGE, data: { reference: 'J0-2024-041', notifieeLe: '2024-10-16' } },
  'candidature.refusee': { role: CHARGE, data: { motifs: ["L'offre n'est pas un service d'informatique en nuage."] } },
  'candidature.cloturee': { role: CHARGE, data: { motif: "Les compléments n'ont pas été fournis." } },

  'j1.centre-choisi': {
    role: PRESTATAIRE,
    data: {
      centre: "Centre d'évaluation de Rennes",
      agrement: { reference: 'CE-2023-07', valideJusquAu: '2027-06-30' },
    },
  },
  'j1.strategie-proposee': {
    role: CENTRE,
    data: {
      document: document("Stratégie d'évaluation", 'b2'),
      perimetre: { services: ['iaas', 'caas'], sites: [{ nom: 'Paimpont', region: 'Bretagne' }] },
      phases: [
        { id: 'documentaire', objet: 'Politiques, procédures et preuves', mode: 'documents' },
        { id: 'paimpont', objet: 'Infrastructure et exploitation', mode: 'sur-site' },
      ],
    },
  },
  'j1.complements-demandes': {
    role: CHARGE,
    data: { motifs: ['Les sites secondaires ne sont pas couverts.'], avantLe: '2025-01-31' },
  },
  'j1.strategie-rejetee': { role: CHARGE, data: { motifs: ["Le centre n'est pas indépendant du prestataire."] } },
  'j1.strategie-validee': { role: CHARGE, data: { reference: 'J1-2025-003', notifieeLe: '2025-01-14' } },

  'j2.plan-valide': { role: CHARGE, data: { document: document("Plan d'évaluation", 'c3') } },
  'j2.audit-planifie': {
    role: CENTRE,
    data: { audit: 'A1', phase: 'documentaire', du: '2025-02-10', au: '2025-02-14' },
  },
  'j2.audit-ouvert': { role: CENTRE, data: { audit: 'A1' } },
  'j2.constat-releve': {
    role: CENTRE,
    data: {
      constat: 'C2',
      audit: 'A1',
      exigence: '9.5.b',
      verdict: 'non-conforme',
      gravite: 'mineure',
      description: "La revue des droits d'accès n'est pas annuelle.",
    },
  },
  'j2.plan-d-action-remis': {
    role: PRESTATAIRE,
    data: { constat: 'C2', mesures: 'Revue des droits chaque année, en janvier.', avantLe: '2025-06-30' },
  },
  'j2.ecart-leve': { role: CENTRE, data: { constat: 'C2', preuve: document('Compte rendu de la revue', 'd4') } },
  'j2.audit-clos': { role: CENTRE, data: { audit: 'A1' } },
  'j2.rapport-remis': { role: CENTRE, data: { rapport: document("Rapport d'évaluation", 'e5') } },
  'j2.verification-demandee': {
    role: CHARGE,
    data: { objet: 'Cloisonnement des réseaux après correction.', avantLe: '2025-06-30' },
  },
  'j2.verification-remise': { role: CENTRE, data: { rapport: document('Vérification complémentaire', 'f6') } },
  'j2.rapport-rejete': { role: CHARGE, data: { motifs: ["L'échantillon de machines est trop petit."] } },
  'j2.rapport-accepte': { role: CHARGE, data: { reference: 'J2-2025-019', notifieLe: '2025-05-20' } },
  'j2.strategie-a-amender': { role: CHARGE, data: { motif: 'Le prestataire ouvre un second site.' } },
  'j2.evaluation-interrompue': { role: CHARGE, data: { motif: 'Le prestataire change de salle.' } },
  'j2.evaluation-reprise': { role: CHARGE, data: { motif: 'La nouvelle salle est en service.' } },

  'j3.enquete-conclue': { role: CHARGE, data: { resultat: 'favorable', reference: 'ENQ-2025-08' } },
  'j3.avis-rendu': { role: CHEF, data: { sens: 'qualifier-avec-reserves', motifs: ['Un écart mineur subsiste.'] } },
  'j3.avis-retire': { role: CHEF, data: { motif: "Le dossier a évolué depuis l'avis." } },
  'j3.qualification-accordee': {
    role: DIRECTEUR,
    data: {
      decision: '2025-QC-017',
      decideeLe: '2025-07-01',
      valideDu: '2025-07-01',
      valideJusquAu: '2028-06-30',
      services: ['iaas', 'caas'],
      conditions: ['Les clients activent le chiffrement des sauvegardes.'],
      reserves: [{ id: 'R1', texte: "Revue annuelle des droits d'accès.", avantLe: '2026-01-31' }],
    },
  },
  'j3.qualification-refusee': {
    role: DIRECTEUR,
    data: {
      decision: '2025-QC-018',
      decideeLe: '2025-07-01',
      motifs: ["Le cloisonnement n'est pas démontré."],
      voiesDeRecours: 'Tribunal administratif de Paris, dans un délai de deux mois.',
    },
  },

  'suivi.decision-notifiee': { role: CHARGE, data: { le: '2025-07-03', reference: 'NOT-2025-17' } },
  'suivi.decision-publiee': { role: CHARGE, data: { le: '2025-07-10', reference: 'PUB-2025-17' } },
  'suivi.surveillance-realisee': {
    role: CHARGE,
    data: { document: document('Surveillance annuelle', '07'), conclusion: 'Le niveau de sécurité est maintenu.' },
  },
  'suivi.controle-ordonne': { role: CHARGE, data: { motif: 'Incident signalé le 3 septembre.' } },
  'suivi.modification-notifiee': { role: PRESTATAIRE, data: { description: "Changement d'hyperviseur." } },
  'suivi.perimetre-modifie': {
    role: DIRECTEUR,
    data: { decision: '2025-QC-031', services: ['iaas'], motif: 'Les conteneurs ne sont plus proposés.' },
  },
  'suivi.reserve-levee': { role: CHARGE, data: { reserve: 'R1', preuve: document('Compte rendu de revue', '18') } },
  'suivi.griefs-notifies': {
    role: DIRECTEUR,
    data: { griefs: ["Le contrôle ordonné n'a pas pu avoir lieu."], observationsAvantLe: '2025-12-31' },
  },
  'suivi.observations-presentees': { role: PRESTATAIRE, data: { document: document('Observations', '29') } },
  'suivi.griefs-abandonnes': { role: DIRECTEUR, data: { motif: 'Les observations sont convaincantes.' } },
  'suivi.qualification-suspendue': {
    role: DIRECTEUR,
    data: { decision: '2026-QC-002', motifs: ['Le contrôle reste impossible.'] },
  },
  'suivi.suspension-levee': { role: DIRECTEUR, data: { decision: '2026-QC-009', motif: 'Le contrôle a eu lieu.' } },
  'suivi.qualification-abrogee': {
    role: DIRECTEUR,
    data: { decision: '2026-QC-003', motifs: ['Le service a changé de nature.'], effetLe: '2026-12-31' },
  },
  'suivi.qualification-retiree': {
    role: DIRECTEUR,
    data: { decision: '2026-QC-004', motifs: ['Des preuves étaient fausses.'] },
  },
  'suivi.renonciation': { role: PRESTATAIRE, data: { motif: "L'offre est arrêtée." } },
  'suivi.renouvellement-demande': { role: PRESTATAIRE, data: { dossier: OTHER } },
  'suivi.qualification-expiree': { role: 'horloge', data: {} },

  'dossier.retire': { role: PRESTATAIRE, data: { motif: 'Le projet est abandonné.' } },
  'dossier.cible-annoncee': {
    role: PRESTATAIRE,
    data: { jalon: 'J3', periode: '2025-S1', source: 'Communiqué du 20 octobre 2024' },
  },
  'dossier.note-ajoutee': { role: CHARGE, data: { texte: 'Rappeler le prestataire après les congés.' } },
};

/**
 * A fact to propose: the example of its type with these changes to its payload (undefined takes a field away), and who
 * proposes it or when if that matters.
 */
export function fact(type: string, changes: Record<string, unknown> = {}, around: Partial<Step> = {}): Step {
  const example = EXAMPLES[type];
  if (!example) throw new Error(`${type} has no example.`);
  const data = Object.entries({ ...example.data, ...changes }).filter(([, value]) => value !== undefined);
  return { type, role: example.role, data: Object.fromEntries(data), ...around };
}

const on = (effectiveAt: string, type: string, changes: Record<string, unknown> = {}) =>
  fact(type, changes, { effectiveAt });

/**
 * A dossier from the application to the decision of J3, with everything that usually happens on the way: missing pieces,
 * an announced target, two audits, a minor finding that stays open with its plan and a major one that is lifted.
 */
export function walkToJ3(): Step[] {
  return [
    on('2024-09-02', 'candidature.deposee'),
    on('2024-09-05', 'candidature.accuse-emis'),
    on('2024-09-06', 'candidature.charge-designe'),
    on('2024-09-16', 'candidature.complements-demandes'),
    on('2024-10-01', 'candidature.complements-recus'),
    on('2024-10-08', 'candidature.completee'),
    on('2024-10-15', 'j0.acceptee'),
    on('2024-10-20', 'dossier.cible-annoncee'),
    on('2024-11-04', 'j1.centre-choisi'),
    on('2024-12-02', 'j1.strategie-proposee'),
    on('2025-01-13', 'j1.strategie-validee'),
    on('2025-01-27', 'j2.plan-valide'),
    on('2025-01-28', 'j2.audit-planifie'),
    on('2025-02-10', 'j2.audit-ouvert'),
    on('2025-02-12', 'j2.constat-releve', {
      constat: 'C1',
      exigence: '5.1.a',
      verdict: 'conforme',
      gravite: undefined,
      description: 'La politique de sécurité est établie et tenue à jour.',
    }),
    on('2025-02-13', 'j2.constat-releve'),
    on('2025-02-14', 'j2.audit-clos'),
    on('2025-02-17', 'j2.audit-planifie', {
      audit: 'A2',
      phase: 'paimpont',
      du: '2025-03-17',
      au: '2025-03-21',
      site: 'Paimpont',
    }),
    on('2025-03-17', 'j2.audit-ouvert', { audit: 'A2' }),
    on('2025-03-19', 'j2.constat-releve', {
      constat: 'C3',
      audit: 'A2',
      exigence: '13.2.a',
      gravite: 'majeure',
      description: "Deux réseaux d'administration ne sont pas cloisonnés.",
    }),
    on('2025-03-21', 'j2.audit-clos', { audit: 'A2' }),
    on('2025-04-04', 'j2.plan-d-action-remis'),
    on('2025-04-04', 'j2.plan-d-action-remis', {
      constat: 'C3',
      mesures: 'Un réseau par zone, filtré.',
      avantLe: '2025-04-30',
    }),
    on('2025-04-28', 'j2.ecart-leve', { constat: 'C3' }),
    on('2025-05-05', 'j2.rapport-remis'),
    on('2025-05-19', 'j2.rapport-accepte'),
    on('2025-06-10', 'j3.enquete-conclue'),
    on('2025-06-17', 'j3.avis-rendu'),
    on('2025-07-01', 'j3.qualification-accordee'),
  ];
}

/** The walk to J3, up to and including the nth fact of a type. */
export function upTo(type: string, nth = 1): Step[] {
  const walk = walkToJ3();
  const places = walk.flatMap((step, place) => (step.type === type ? [place] : []));
  const place = places[nth - 1];
  if (place === undefined) throw new Error(`The walk has no ${type} number ${nth}.`);
  return walk.slice(0, place + 1);
}

/** A way to every state: facts that are accepted one after the other, the last of which leads there. */
export function wayTo(state: string): Step[] {
  const accused = () => [...walkToJ3(), on('2025-11-03', 'suivi.griefs-notifies')];
  const answered = () => [...accused(), on('2025-12-01', 'suivi.observations-presentees')];
  const ways: Record<string, () => Step[]> = {
    'candidature.deposee': () => upTo('candidature.deposee'),
    'candidature.incomplete': () => upTo('candidature.complements-demandes'),
    'candidature.complete': () => upTo('candidature.completee'),
    'j1.centre-attendu': () => upTo('j0.acceptee'),
    'j1.strategie-attendue': () => upTo('j1.centre-choisi'),
    'j1.strategie-en-examen': () => upTo('j1.strategie-proposee'),
    'j2.plan-attendu': () => upTo('j1.strategie-validee'),
    'j2.audits': () => upTo('j2.plan-valide'),
    'j2.rapport-en-revue': () => upTo('j2.rapport-remis'),
    'j2.verifications': () => [...upTo('j2.rapport-remis'), on('2025-05-12', 'j2.verification-demandee')],
    'j2.interrompue': () => [...upTo('j2.plan-valide'), on('2025-02-03', 'j2.evaluation-interrompue')],
    'j3.instruction': () => upTo('j2.rapport-accepte'),
    'j3.avis-rendu': () => upTo('j3.avis-rendu'),
    'qualifiee.valide': walkToJ3,
    'qualifiee.mise-en-cause': accused,
    'qualifiee.suspendue': () => [...answered(), on('2026-01-12', 'suivi.qualification-suspendue')],
    refusee: () => [...upTo('candidature.completee'), on('2024-10-15', 'candidature.refusee')],
    cloturee: () => [...upTo('candidature.complements-demandes'), on('2024-10-16', 'candidature.cloturee')],
    'retiree-par-le-demandeur': () => [...upTo('candidature.deposee'), on('2024-09-10', 'dossier.retire')],
    'refusee-j3': () => [...upTo('j3.avis-rendu'), on('2025-07-01', 'j3.qualification-refusee')],
    abrogee: () => [...answered(), on('2026-01-12', 'suivi.qualification-abrogee')],
    retiree: () => [...answered(), on('2026-01-12', 'suivi.qualification-retiree')],
    renoncee: () => [...walkToJ3(), on('2026-01-12', 'suivi.renonciation')],
    expiree: () => [...walkToJ3(), on('2028-07-01', 'suivi.qualification-expiree')],
  };
  const way = ways[state];
  if (!way) throw new Error(`${state} is no state of the procedure.`);
  return way();
}
