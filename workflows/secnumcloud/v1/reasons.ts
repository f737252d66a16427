import type { Happening, Reason } from '@jalon/flow';
import { type Audit, auditsOuverts, type Context, entree, estOuvert, phasesNonAuditees } from './context.ts';
import {
  type CandidatureComplementsDemandes,
  type CandidatureDeposee,
  dossiersCites,
  type J1CentreChoisi,
  type J1StrategieProposee,
  type J2AuditOuvert,
  type J2AuditPlanifie,
  type J2ConstatReleve,
} from './facts.ts';
import { compter, constat, date, enumerer, le, nommer, parmi, pieces, servicesHors } from './phrases.ts';
import { reasonsOfDecisions } from './reasons-of-decisions.ts';

/** What is said of an audit in the place of the state in which the rule wants it. */
const ETATS: Readonly<Record<Audit['etat'], string>> = {
  planifie: "est planifié et n'a pas encore été ouvert",
  ouvert: 'est déjà ouvert',
  clos: 'est clos',
};

const auditAutrement = ({ audits }: Context, { data: { audit } }: Happening<{ audit: string }>) => {
  const known = entree(audits, audit);
  return {
    message: known ? `L'audit ${audit} ${ETATS[known.etat]}.` : `Aucun audit ${audit} n'est planifié.`,
    items: nommer('audit', [audit]),
  };
};

const auditsEncoreOuverts = (dossier: Context) =>
  compter(nommer('audit', auditsOuverts(dossier)), 'audit est ouvert', 'audits sont ouverts');

const constatsOu = (dossier: Context, wanted: (one: Context['constats'][string]) => boolean) =>
  Object.entries(dossier.constats).flatMap(([id, one]) =>
    estOuvert(one) && wanted(one) ? [constat(dossier, id)] : [],
  );

/** What an evaluator is told of each rule of the machine. */
export const reasons: Readonly<Record<string, Reason>> = {
  // Candidature
  'referentiel-connu': {
    asks: "Le référentiel doit être connu, à cette version, de la procédure d'évaluation.",
    holds: "Le référentiel est connu, à cette version, de la procédure d'évaluation.",
    fails: (_: Context, { data: { referentiel } }: Happening<CandidatureDeposee>) =>
      `Le référentiel « ${referentiel.nom} ${referentiel.version} » n'est pas connu de la procédure d'évaluation.`,
    needs: ['payload'],
    field: 'referentiel',
  },
  'dossiers-cites-connus': {
    asks: "Les dossiers cités (celui qui est renouvelé, ceux sur lesquels l'offre est composée) doivent exister.",
    holds: "Les dossiers cités (celui qui est renouvelé, ceux sur lesquels l'offre est composée) existent.",
    fails: (_: Context, { data, lookups }: Happening<CandidatureDeposee>) =>
      compter(
        nommer(
          'dossier',
          dossiersCites(data).filter((id) => lookups[id] == null),
        ),
        'dossier cité est introuvable',
        'dossiers cités sont introuvables',
      ),
    needs: ['payload', 'lookup'],
  },
  'accuse-pas-encore-emis': {
    asks: "L'accusé de réception n'est émis qu'une fois.",
    holds: "L'accusé de réception n'a pas encore été émis.",
    fails: () => "L'accusé de réception a déjà été émis.",
  },
  'delai-a-venir': {
    asks: "Le délai accordé pour les compléments doit être postérieur à la date d'effet.",
    holds: "Le délai accordé pour les compléments est postérieur à la date d'effet.",
    fails: (_: Context, { data, effectiveAt }: Happening<CandidatureComplementsDemandes>) =>
      `Le délai accordé pour les compléments (${le(data.avantLe)}) n'est pas postérieur à la date d'effet (${le(effectiveAt)}).`,
    needs: ['payload', 'date'],
    field: 'avantLe',
  },
  'delai-passe': {
    asks: 'Le délai accordé pour les compléments doit être passé.',
    holds: 'Le délai accordé pour les compléments est passé.',
    detail: date('À fournir avant le', ({ complementsAvantLe }) => complementsAvantLe),
    fails: ({ complementsAvantLe }: Context) =>
      `Le délai accordé pour les compléments court jusqu'au ${le(complementsAvantLe)} inclus.`,
    needs: ['date'],
  },
  'pieces-completes': {
    asks: 'Le dossier doit comporter les six catégories de pièces.',
    holds: 'Le dossier comporte les six catégories de pièces.',
    fails: (dossier: Context) =>
      compter(pieces(dossier), 'catégorie de pièces manque', 'catégories de pièces manquent'),
  },
  'accuse-emis': {
    asks: "L'accusé de réception doit avoir été émis.",
    holds: "L'accusé de réception a été émis.",
    fails: () => "L'accusé de réception n'a pas encore été émis.",
  },
  'charge-designe': {
    asks: "Un chargé de qualification doit être désigné, au plus tard à la date d'effet.",
    holds: 'Un chargé de qualification est désigné.',
    fails: ({ chargeDepuis }: Context, { effectiveAt }: Happening) =>
      chargeDepuis === null
        ? "Aucun chargé de qualification n'est désigné."
        : `Le chargé de qualification n'est désigné que depuis le ${le(chargeDepuis)}, après la date d'effet (${le(effectiveAt)}).`,
    needs: ['date'],
  },

  // Strategy
  'agrement-valide': {
    asks: "L'agrément du centre doit être valide à la date d'effet.",
    holds: "L'agrément du centre est valide à la date d'effet.",
    fails: (_: Context, { data: { centre, agrement }, effectiveAt }: Happening<J1CentreChoisi>) =>
      `L'agrément ${agrement.reference} du centre « ${centre} » n'est valide que jusqu'au ${le(agrement.valideJusquAu)}, avant la date d'effet (${le(effectiveAt)}).`,
    needs: ['payload', 'date'],
    field: 'agrement.valideJusquAu',
  },
  'services-de-la-candidature': {
    asks: 'Le périmètre doit retenir au moins un service, et tous doivent être de la candidature.',
    holds: 'Le périmètre retient au moins un service, et tous sont de la candidature.',
    detail: parmi('Services de la candidature', ({ services }) => services),
    fails: ({ services }: Context, { data }: Happening<J1StrategieProposee>) =>
      servicesHors(data.perimetre.services, services, 'de la candidature'),
    needs: ['payload'],
    field: 'perimetre.services',
  },
  'phase-sur-site': {
    asks: 'La stratégie doit prévoir au moins une phase sur site.',
    holds: 'La stratégie prévoit au moins une phase sur site.',
    fails: (_: Context, { data: { phases } }: Happening<J1StrategieProposee>) => {
      const items = phases.map(({ id, objet }) => ({ kind: 'phase', id, label: `${id} (${objet})` }));
      return compter(
        items,
        "phase est prévue, et elle n'est pas sur site",
        "phases sont prévues, et aucune n'est sur site",
      );
    },
    needs: ['payload'],
    field: 'phases',
  },

  // Evaluation
  'phase-de-la-strategie': {
    asks: "L'audit doit porter sur une phase de la stratégie validée.",
    holds: "L'audit porte sur une phase de la stratégie validée.",
    detail: parmi('Phases de la stratégie', ({ strategie }) => strategie?.phases ?? []),
    fails: ({ strategie }: Context, { data: { phase } }: Happening<J2AuditPlanifie>) => ({
      message: `La phase ${phase} n'est pas de la stratégie validée, qui prévoit : ${enumerer(strategie?.phases ?? [])}.`,
      items: nommer('phase', [phase]),
    }),
    needs: ['payload'],
    field: 'phase',
  },
  'audit-nouveau': {
    asks: "L'identifiant de l'audit ne doit pas être déjà pris.",
    holds: "L'identifiant de l'audit n'est pas déjà pris.",
    fails: (dossier: Context, fact: Happening<J2AuditPlanifie>) => {
      const { message, items } = auditAutrement(dossier, fact);
      return { message: `L'identifiant ${fact.data.audit} est déjà pris. ${message}`, items };
    },
    needs: ['payload'],
    field: 'audit',
  },
  'audit-debute-avant-sa-fin': {
    asks: "L'audit ne doit pas se terminer avant d'avoir commencé.",
    holds: "L'audit ne se termine pas avant d'avoir commencé.",
    fails: (_: Context, { data }: Happening<J2AuditPlanifie>) =>
      `L'audit se terminerait le ${le(data.au)}, avant d'avoir commencé le ${le(data.du)}.`,
    needs: ['payload'],
    field: 'au',
  },
  'audit-planifie': {
    asks: "L'audit doit être planifié, et ne pas avoir encore été ouvert.",
    holds: "L'audit est planifié et n'a pas encore été ouvert.",
    fails: auditAutrement,
    needs: ['payload'],
    field: 'audit',
  },
  'audit-pas-avant-sa-date': {
    asks: "L'audit ne doit pas être ouvert avant la date à laquelle il est planifié.",
    holds: "L'audit n'est pas ouvert avant la date à laquelle il est planifié.",
    fails: ({ audits }: Context, { data: { audit }, effectiveAt }: Happening<J2AuditOuvert>) => ({
      message: `L'audit ${audit} est planifié à partir du ${le(entree(audits, audit)?.du)}, après la date d'effet (${le(effectiveAt)}).`,
      items: nommer('audit', [audit]),
    }),
    needs: ['payload', 'date'],
  },
  'audit-ouvert': {
    asks: "L'audit doit être ouvert.",
    holds: "L'audit est ouvert.",
    detail: parmi('Audits ouverts', auditsOuverts),
    fails: auditAutrement,
    needs: ['payload'],
    field: 'audit',
  },
  'constat-nouveau': {
    asks: "L'identifiant du constat ne doit pas être déjà pris.",
    holds: "L'identifiant du constat n'est pas déjà pris.",
    fails: (dossier: Context, { data }: Happening<J2ConstatReleve>) => {
      const known = constat(dossier, data.constat);
      return { message: `Le constat ${known.label} a déjà été relevé.`, items: [known] };
    },
    needs: ['payload'],
    reads: ['constats'],
    field: 'constat',
  },
  'exigence-du-referentiel': {
    asks: "L'exigence doit figurer dans le référentiel du dossier, à sa version.",
    holds: "L'exigence figure dans le référentiel du dossier, à sa version.",
    fails: ({ referentiel }: Context, { data: { exigence } }: Happening<J2ConstatReleve>) =>
      `Le référentiel ${referentiel?.nom} ${referentiel?.version} n'a pas d'exigence ${exigence}.`,
    needs: ['payload'],
    field: 'exigence',
  },
  'gravite-d-une-non-conformite': {
    asks: 'La gravité doit être donnée pour une non-conformité, et pour elle seule.',
    holds: 'La gravité est donnée pour une non-conformité, et pour elle seule.',
    fails: (_: Context, { data: { gravite } }: Happening<J2ConstatReleve>) =>
      gravite === undefined
        ? "La gravité de la non-conformité n'est pas donnée."
        : `Une gravité (${gravite}) est donnée à un constat conforme.`,
    needs: ['payload'],
    field: 'gravite',
  },
  'ecart-ouvert': {
    asks: 'Le constat doit être une non-conformité encore ouverte.',
    holds: 'Le constat est une non-conformité qui est encore ouverte.',
    fails: (dossier: Context, { data }: Happening<{ constat: string }>) => {
      const known = entree(dossier.constats, data.constat);
      const item = constat(dossier, data.constat);
      if (!known) return { message: `Aucun constat ${data.constat} n'a été relevé.`, items: [item] };
      return {
        message: known.leve
          ? `La non-conformité ${item.label} est déjà levée.`
          : `Le constat ${item.label} est conforme : aucun écart n'est à corriger.`,
        items: [item],
      };
    },
    needs: ['payload'],
    reads: ['constats'],
    field: 'constat',
  },
  'phases-auditees': {
    asks: 'Chaque phase de la stratégie validée doit avoir un audit clos.',
    holds: 'Chaque phase de la stratégie validée a un audit clos.',
    fails: (dossier: Context) =>
      compter(
        nommer('phase', phasesNonAuditees(dossier)),
        "phase de la stratégie n'a pas d'audit clos",
        "phases de la stratégie n'ont pas d'audit clos",
      ),
  },
  'aucun-audit-ouvert': {
    asks: 'Aucun audit ne doit rester ouvert.',
    holds: "Aucun audit n'est ouvert.",
    fails: auditsEncoreOuverts,
  },
  'aucun-ecart-majeur-ouvert': {
    asks: 'Aucune non-conformité majeure ne doit rester ouverte.',
    holds: "Aucune non-conformité majeure n'est ouverte.",
    fails: (dossier: Context) =>
      compter(
        constatsOu(dossier, ({ gravite }) => gravite === 'majeure'),
        'non-conformité majeure est ouverte',
        'non-conformités majeures sont ouvertes',
      ),
    reads: ['constats'],
  },
  'plan-pour-chaque-ecart-mineur': {
    asks: "Chaque non-conformité mineure encore ouverte doit avoir un plan d'action.",
    holds: "Chaque non-conformité mineure encore ouverte a un plan d'action.",
    fails: (dossier: Context) =>
      compter(
        constatsOu(dossier, ({ gravite, plan }) => gravite === 'mineure' && !plan),
        "non-conformité mineure est ouverte sans plan d'action",
        "non-conformités mineures sont ouvertes sans plan d'action",
      ),
    reads: ['constats'],
  },

  ...reasonsOfDecisions,
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
