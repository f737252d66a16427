import type { CalendarDate, Expectation } from '@jalon/flow';
import { auditsOuverts, type Context, categoriesManquantes, estOuvert, phasesNonAuditees } from './context.ts';
import { CATEGORIES } from './facts.ts';
import { CENTRE, CHARGE, CHEF, DIRECTEUR, PRESTATAIRE } from './roles.ts';

const unConstat = ({ constats }: Context, of: (constat: Context['constats'][string]) => boolean) =>
  Object.values(constats).some((constat) => estOuvert(constat) && of(constat));

const unAudit = ({ audits }: Context, etat: string) => Object.values(audits).some((audit) => audit.etat === etat);

/** Phases of which no audit is planned, open or closed. */
const phasesSansAudit = ({ strategie, audits }: Context) => {
  const prevues = new Set(Object.values(audits).map(({ phase }) => phase));
  return (strategie?.phases ?? []).filter((phase) => !prevues.has(phase));
};

const sansPlan = (dossier: Context) => unConstat(dossier, ({ plan }) => !plan);
const majeurOuvert = (dossier: Context) => unConstat(dossier, ({ gravite }) => gravite === 'majeure');

const planDAction: Expectation = {
  facts: ['j2.plan-d-action-remis'],
  of: [PRESTATAIRE],
  sentence: "Un plan d'action est à remettre pour chaque non-conformité qui n'en a pas.",
  while: sansPlan,
  reads: ['constats'],
};

const leveeDesMajeures: Expectation = {
  facts: ['j2.ecart-leve'],
  of: [CENTRE],
  sentence: "Chaque non-conformité majeure dont le plan d'action est mené est à vérifier et à lever.",
  while: (dossier: Context) => unConstat(dossier, ({ gravite, plan }) => gravite === 'majeure' && plan),
  reads: ['constats'],
};

/**
 * What each state expects, and of whom. A qualification under surveillance expects nothing: what may happen to it is
 * nobody's duty.
 */
export const expected: Readonly<Record<string, readonly Expectation[]>> = {
  'candidature.deposee': [
    {
      facts: ['candidature.accuse-emis'],
      of: [CHARGE],
      sentence: "L'accusé de réception de la candidature est à émettre.",
      while: ({ accuse }: Context) => !accuse,
    },
    {
      facts: ['candidature.charge-designe'],
      of: [CHEF],
      sentence: 'Un chargé de qualification est à désigner.',
      while: ({ charge }: Context) => charge === null,
    },
    {
      facts: ['candidature.complements-demandes'],
      of: [CHARGE],
      sentence: 'Des catégories de pièces manquent : des compléments sont à demander.',
      while: (dossier: Context) => categoriesManquantes(dossier, CATEGORIES).length > 0,
    },
    {
      facts: ['candidature.completee'],
      of: [CHARGE],
      sentence: 'La candidature est à déclarer complète.',
    },
  ],
  'candidature.incomplete': [
    {
      facts: ['candidature.complements-recus'],
      of: [PRESTATAIRE],
      sentence: 'Les compléments demandés sont à fournir.',
    },
  ],
  'candidature.complete': [
    {
      facts: ['j0.acceptee', 'candidature.refusee'],
      of: [CHARGE],
      sentence: 'La candidature est à accepter ou à refuser.',
    },
  ],

  'j1.centre-attendu': [
    { facts: ['j1.centre-choisi'], of: [PRESTATAIRE], sentence: "Le centre d'évaluation est à choisir." },
  ],
  'j1.strategie-attendue': [
    {
      facts: ['j1.strategie-proposee'],
      of: [PRESTATAIRE, CENTRE],
      sentence: "La stratégie d'évaluation est à proposer.",
    },
  ],
  'j1.strategie-en-examen': [
    {
      facts: ['j1.strategie-validee', 'j1.complements-demandes', 'j1.strategie-rejetee'],
      of: [CHARGE],
      sentence: "La stratégie d'évaluation est à valider, à faire compléter ou à rejeter.",
    },
  ],

  'j2.plan-attendu': [{ facts: ['j2.plan-valide'], of: [CHARGE], sentence: "Le plan d'évaluation est à valider." }],
  'j2.audits': [
    {
      facts: ['j2.audit-planifie'],
      of: [CENTRE],
      sentence: "Un audit est à planifier pour chaque phase de la stratégie qui n'en a pas.",
      while: (dossier: Context) => phasesSansAudit(dossier).length > 0,
    },
    {
      facts: ['j2.audit-ouvert'],
      of: [CENTRE],
      sentence: 'Les audits planifiés sont à mener.',
      while: (dossier: Context) => unAudit(dossier, 'planifie') && phasesNonAuditees(dossier).length > 0,
    },
    {
      facts: ['j2.audit-clos'],
      of: [CENTRE],
      sentence: 'Les audits ouverts sont à mener et à clore.',
      while: (dossier: Context) => auditsOuverts(dossier).length > 0,
    },
    { facts: ['j2.rapport-remis'], of: [CENTRE], sentence: "Le rapport d'évaluation est à remettre." },
    planDAction,
    leveeDesMajeures,
  ],
  'j2.rapport-en-revue': [
    {
      facts: ['j2.rapport-accepte', 'j2.verification-demandee', 'j2.rapport-rejete'],
      of: [CHARGE],
      sentence: "Le rapport d'évaluation est à accepter, à faire vérifier ou à rejeter.",
      // As long as only a plan of action is missing, the prestataire is waited for.
      while: (dossier: Context) => majeurOuvert(dossier) || !sansPlan(dossier),
      reads: ['constats'],
    },
    planDAction,
  ],
  'j2.verifications': [
    {
      facts: ['j2.verification-remise'],
      of: [CENTRE],
      sentence: 'La vérification complémentaire est à remettre.',
    },
    planDAction,
    leveeDesMajeures,
  ],
  'j2.interrompue': [
    { facts: ['j2.evaluation-reprise'], of: [CHARGE], sentence: "L'évaluation interrompue est à reprendre." },
  ],

  'j3.instruction': [{ facts: ['j3.avis-rendu'], of: [CHEF], sentence: "L'avis sur la qualification est à rendre." }],
  'j3.avis-rendu': [
    {
      facts: ['j3.qualification-accordee', 'j3.qualification-refusee'],
      of: [DIRECTEUR],
      sentence: 'La qualification est à accorder ou à refuser.',
    },
  ],

  'qualifiee.valide': [],
  'qualifiee.mise-en-cause': [
    {
      facts: ['suivi.observations-presentees'],
      of: [PRESTATAIRE],
      sentence: 'Des observations sur les griefs sont à présenter.',
      while: ({ griefs }: Context) => griefs !== null && !griefs.observations,
      reads: ['griefs'],
    },
    {
      facts: [
        'suivi.griefs-abandonnes',
        'suivi.qualification-suspendue',
        'suivi.qualification-abrogee',
        'suivi.qualification-retiree',
      ],
      of: [DIRECTEUR],
      sentence: 'La suite à donner aux griefs est à décider : les abandonner, suspendre, abroger ou retirer.',
      while: ({ griefs }: Context, today: CalendarDate) =>
        griefs !== null && (griefs.observations || today > griefs.observationsAvantLe),
      reads: ['griefs'],
    },
  ],
  'qualifiee.suspendue': [
    {
      facts: ['suivi.suspension-levee', 'suivi.griefs-notifies'],
      of: [DIRECTEUR],
      sentence: 'La suspension est à lever, ou de nouveaux griefs sont à notifier.',
    },
  ],
};
