import type { Reason } from '@jalon/flow';
import { auditsOuverts, type Context, categoriesManquantes, phasesNonAuditees } from './context.ts';
import { CATEGORIES } from './facts.ts';
import { CENTRE, CHARGE, CHEF, PRESTATAIRE } from './roles.ts';

/** « Pièces manquantes : reseaux, serveurs. », or nothing when the list is empty. */
const liste = (what: string, of: (dossier: Context) => readonly string[]) => (dossier: Context) => {
  const items = of(dossier);
  return items.length > 0 ? `${what} : ${items.join(', ')}.` : undefined;
};

/** « Fin de la validité : 2028-06-30. », or nothing when there is no such date. */
const date = (what: string, of: (dossier: Context) => string | null | undefined) => (dossier: Context) => {
  const known = of(dossier);
  return known ? `${what} : ${known}.` : undefined;
};

const finDeValidite = date('Fin de la validité', ({ decision }) => decision?.valideJusquAu);

/** What an evaluator is told of each rule of the machine. */
export const reasons: Readonly<Record<string, Reason>> = {
  // Candidature
  'referentiel-connu': {
    message: "Le référentiel est connu, à cette version, de la procédure d'évaluation.",
    needs: ['payload'],
    field: 'referentiel',
  },
  'dossiers-cites-connus': {
    message: "Les dossiers cités (celui qui est renouvelé, ceux sur lesquels l'offre est composée) existent.",
    needs: ['payload', 'lookup'],
  },
  'accuse-pas-encore-emis': { message: "L'accusé de réception n'est émis qu'une fois." },
  'delai-a-venir': {
    message: "Le délai accordé pour les compléments est postérieur à la date d'effet.",
    needs: ['payload', 'date'],
    field: 'avantLe',
  },
  'delai-passe': {
    message: 'Le délai accordé pour les compléments est passé.',
    detail: date('À fournir avant le', (dossier) => dossier.complementsAvantLe),
    needs: ['date'],
  },
  'pieces-completes': {
    message: 'Le dossier comporte les six catégories de pièces.',
    detail: liste('Pièces manquantes', (dossier) => categoriesManquantes(dossier, CATEGORIES)),
    awaits: [CHARGE],
  },
  'accuse-emis': { message: "L'accusé de réception a été émis.", awaits: [CHARGE] },
  'charge-designe': {
    message: "Un chargé de qualification est désigné, au plus tard à la date d'effet.",
    needs: ['date'],
    awaits: [CHEF, CHARGE],
  },

  // Strategy
  'agrement-valide': {
    message: "L'agrément du centre est valide à la date d'effet.",
    needs: ['payload', 'date'],
    field: 'agrement.valideJusquAu',
  },
  'services-de-la-candidature': {
    message: 'Le périmètre retient au moins un service, et tous sont de la candidature.',
    detail: liste('Services de la candidature', (dossier) => dossier.services),
    needs: ['payload'],
    field: 'perimetre.services',
  },
  'phase-sur-site': {
    message: 'La stratégie prévoit au moins une phase sur site.',
    needs: ['payload'],
    field: 'phases',
  },

  // Evaluation
  'phase-de-la-strategie': {
    message: "L'audit porte sur une phase de la stratégie validée.",
    detail: liste('Phases de la stratégie', (dossier) => dossier.strategie?.phases ?? []),
    needs: ['payload'],
    field: 'phase',
  },
  'audit-nouveau': {
    message: "L'identifiant de l'audit n'est pas déjà pris.",
    needs: ['payload'],
    field: 'audit',
  },
  'audit-debute-avant-sa-fin': {
    message: "L'audit ne se termine pas avant d'avoir commencé.",
    needs: ['payload'],
    field: 'au',
  },
  'audit-planifie': {
    message: "L'audit est planifié et n'a pas encore été ouvert.",
    needs: ['payload'],
    field: 'audit',
  },
  'audit-pas-avant-sa-date': {
    message: "L'audit n'est pas ouvert avant la date à laquelle il est planifié.",
    needs: ['payload', 'date'],
  },
  'audit-ouvert': {
    message: "L'audit est ouvert.",
    detail: liste('Audits ouverts', auditsOuverts),
    needs: ['payload'],
    field: 'audit',
  },
  'constat-nouveau': {
    message: "L'identifiant du constat n'est pas déjà pris.",
    needs: ['payload'],
    reads: ['constats'],
    field: 'constat',
  },
  'exigence-du-referentiel': {
    message: "L'exigence figure dans le référentiel du dossier, à sa version.",
    needs: ['payload'],
    field: 'exigence',
  },
  'gravite-d-une-non-conformite': {
    message: 'La gravité est donnée pour une non-conformité, et pour elle seule.',
    needs: ['payload'],
    field: 'gravite',
  },
  'ecart-ouvert': {
    message: 'Le constat est une non-conformité qui est encore ouverte.',
    needs: ['payload'],
    reads: ['constats'],
    field: 'constat',
  },
  'phases-auditees': {
    message: 'Chaque phase de la stratégie validée a un audit clos.',
    detail: liste('Phases sans audit clos', phasesNonAuditees),
    awaits: [CENTRE],
  },
  'aucun-audit-ouvert': {
    message: "Aucun audit n'est ouvert.",
    detail: liste('Audits ouverts', auditsOuverts),
    awaits: [CENTRE],
  },
  'aucun-ecart-majeur-ouvert': {
    message: "Aucune non-conformité majeure n'est ouverte.",
    reads: ['constats'],
    awaits: [CENTRE, PRESTATAIRE],
  },
  'plan-pour-chaque-ecart-mineur': {
    message: "Chaque non-conformité mineure encore ouverte a un plan d'action.",
    reads: ['constats'],
    awaits: [PRESTATAIRE],
  },

  // Decision
  'enquete-pas-encore-conclue': {
    message: "L'enquête n'est conclue qu'une fois.",
    reads: ['enquete'],
  },
  'services-de-la-strategie': {
    message: 'Tous les services sont du périmètre de la stratégie validée.',
    detail: liste('Services de la stratégie', (dossier) => dossier.strategie?.services ?? []),
    needs: ['payload'],
    field: 'services',
  },
  'decidee-a-la-date-d-effet': {
    message: "La date de la décision est la date d'effet.",
    needs: ['payload', 'date'],
    field: 'decideeLe',
  },
  'decidee-avant-la-fin-de-validite': {
    message: "La décision n'est pas postérieure à la fin de la validité qu'elle accorde.",
    needs: ['payload'],
    field: 'valideJusquAu',
  },
  'validite-debute-avant-sa-fin': {
    message: 'La validité commence avant de prendre fin.',
    needs: ['payload'],
    field: 'valideJusquAu',
  },
  'trois-ans-au-plus': {
    message: 'La validité est de trois ans au plus.',
    needs: ['payload'],
    field: 'valideJusquAu',
  },
  'quatre-yeux': {
    message: "L'auteur de la décision n'est pas celui de l'avis.",
    needs: ['actor'],
    reads: ['avis'],
  },
  'enquete-non-defavorable': {
    message: "Aucune enquête défavorable n'interdit la qualification.",
    reads: ['enquete'],
  },

  // Life of the qualification
  'pas-apres-la-fin-de-validite': {
    message: "La date d'effet n'est pas postérieure à la fin de la validité.",
    detail: finDeValidite,
    needs: ['date'],
  },
  'pas-encore-notifiee': { message: "La décision n'est notifiée qu'une fois." },
  'pas-encore-publiee': { message: "La décision n'est publiée qu'une fois." },
  'pas-avant-la-decision': {
    message: "Cette date n'est pas antérieure à celle de la décision.",
    detail: date('Décision du', (dossier) => dossier.decision?.decideeLe),
    needs: ['payload'],
    field: 'le',
  },
  'reserve-ouverte': {
    message: 'La réserve est encore ouverte.',
    detail: liste('Réserves ouvertes', (dossier) => dossier.reserves),
    needs: ['payload'],
    field: 'reserve',
  },
  'contradictoire-respecte': {
    message: 'Les observations sur les griefs ont été présentées, ou la date pour les présenter est passée.',
    needs: ['date'],
    reads: ['griefs'],
    awaits: [PRESTATAIRE],
  },
  'effet-pas-avant-la-date-d-effet': {
    message: "L'abrogation ne prend pas effet avant la date de la décision.",
    needs: ['payload', 'date'],
    field: 'effetLe',
  },
  'effet-pas-apres-la-fin-de-validite': {
    message: "L'abrogation prend effet au plus tard à la fin de la validité.",
    detail: finDeValidite,
    needs: ['payload'],
    field: 'effetLe',
  },
  'nouveau-dossier-lie': {
    message: "Le nouveau dossier existe et indique qu'il renouvelle celui-ci.",
    needs: ['payload', 'lookup'],
    field: 'dossier',
  },
  'pas-avant-le-lendemain-de-la-fin': {
    message: "La date d'effet n'est pas antérieure au lendemain de la fin de la validité.",
    detail: finDeValidite,
    needs: ['date'],
  },
  'pas-apres-le-lendemain-de-la-fin': {
    message: "La date d'effet n'est pas postérieure au lendemain de la fin de la validité.",
    detail: finDeValidite,
    needs: ['date'],
  },
};

/** Guards that choose the place to come back to, and are no reason to refuse. */
export const routing: readonly string[] = [
  'interrompue-en-plan-attendu',
  'interrompue-en-audits',
  'interrompue-en-revue',
  'interrompue-en-verifications',
  'qualification-etait-valide',
  'qualification-etait-suspendue',
];
