import type { Exploration } from '@jalon/flow';
import { type Context, categoriesManquantes } from './context.ts';
import {
  auditsEnCours,
  type Bornes,
  type Dossier,
  datees,
  ecartsOuverts,
  griefsDates,
  PHASES,
  parPersonne,
  UNIQUES,
  variees,
} from './echantillons.ts';
import { CATEGORIES } from './facts.ts';
import {
  auditPasAvantSaDate,
  clotureApresLeDelai,
  completApresDesignation,
  etapesApresLeurJalon,
  finDefinitive,
  jalonsDansLOrdre,
  jamaisARebours,
  notificationApresLaDecision,
  quatreYeux,
  rienApresLaFin,
  sanctionContradictoire,
} from './invariants.ts';
import { reasons } from './reasons.ts';

/** How far explorations go, and how many dossiers that count as one they compare. */
export type Etendue = Bornes & { compares: number; limit: number };

/** What every check explores. */
export const COURTE: Etendue = { audits: 1, ecarts: 1, jours: [0, 1], compares: 1, limit: 10_000 };

/** What the long campaign explores. */
export const LONGUE: Etendue = { audits: 2, ecarts: 2, jours: [0, 1, 2], compares: 2, limit: 200_000 };

/** Members of the context that no rule reads: they name, or only count. */
const SANS_EFFET = ['faits', 'charge', 'centre', 'renouvelleDe'];

const etape = ({ state }: Dossier) => state?.split('.')[0];

/** Where an evaluation, or a qualification, comes back to: by what the way is chosen. */
const retour = ({ context, state }: Dossier) => ({
  evaluation: context.reprendreA,
  qualification: state === 'qualifiee.mise-en-cause' ? (context.griefs?.depuis ?? null) : null,
});

const auteur = ({ context: { avis } }: Dossier) => avis && { iss: avis.iss, sub: avis.sub };

/** Grievances count while they are pending: those of a former suspension are never asked about again. */
const griefs = ({ context, state }: Dossier) => (state === 'qualifiee.mise-en-cause' ? context.griefs : null);

/** Phases of which an audit is closed: how many are, and which findings they left, no rule asks. */
const phasesCloses = ({ audits }: Context) =>
  PHASES.filter((phase) => Object.values(audits).some((audit) => audit.phase === phase && audit.etat === 'clos'));

/** Everything that a rule may still ask, by the stage of the dossier, and nothing else. */
function toutCeQuiCompte(dossier: Dossier): unknown {
  const { context, state, day } = dossier;
  const { services, referentiel, strategie, decision, notifiee } = context;
  switch (etape(dossier)) {
    case 'candidature': {
      const { accuse, chargeDepuis, complementsAvantLe } = context;
      const manquantes = categoriesManquantes(context, CATEGORIES);
      return { services, referentiel, accuse, chargeDepuis, complementsAvantLe, manquantes };
    }
    case 'j1':
    case 'j2': {
      const audits = auditsEnCours(context).map(({ id, phase, etat, du }) => ({
        ...{ id, phase, etat },
        prevu: etat === 'planifie' && du > day(0) ? du : null,
      }));
      const { strategieProposee } = context;
      const evaluation = { clos: phasesCloses(context), audits, ecarts: ecartsOuverts(context), ...retour(dossier) };
      return { services, referentiel, strategie, strategieProposee, ...evaluation };
    }
    case 'j3':
      return { services: strategie?.services, enquete: context.enquete, avis: auteur(dossier) };
    case 'qualifiee': {
      const { publiee, reserves } = context;
      return { services: strategie?.services, decision, notifiee, publiee, reserves, griefs: griefs(dossier) };
    }
    default:
      return state === 'refusee-j3' ? { decision, notifiee } : null;
  }
}

/** What rules on dates may still ask. */
function dates(dossier: Dossier): unknown {
  const { context, state } = dossier;
  const { chargeDepuis, complementsAvantLe, decision } = context;
  switch (etape(dossier)) {
    case 'candidature':
      return { chargeDepuis, complementsAvantLe };
    case 'j1':
    case 'j2':
      return { audits: auditsEnCours(context), ...retour(dossier) };
    case 'qualifiee':
      return { decision, griefs: griefs(dossier) };
    default:
      return state === 'refusee-j3' ? { decision } : null;
  }
}

const REGLES_DE_DATES = [
  ...Object.entries(reasons).flatMap(([rule, { needs }]) => (needs?.includes('date') ? [rule] : [])),
  ...['audit-planifie', 'audit-ouvert', 'pas-avant-la-decision', 'effet-pas-apres-la-fin-de-validite'],
];

/** What is explored of this version, as far as that. */
export function explorations({ compares, limit, ...bornes }: Etendue): Exploration[] {
  const { audits, ecarts, jours } = bornes;
  const commun = { compares, limit, ignores: SANS_EFFET };
  const delai = `chaque fait prend effet ${jours.at(-1)} jour(s) au plus après le dernier fait daté`;
  return [
    {
      ...commun,
      name: 'procedure-entiere',
      label: 'Toute la procédure, toutes ses règles',
      kept: "tout ce qu'une règle peut encore demander ; d'un audit clos sa phase, d'un écart ouvert sa gravité et son plan, d'un écart levé rien",
      bounds: [
        `${audits} audit(s) planifié(s) ou ouvert(s) au plus par phase et ${ecarts} écart(s) ouvert(s) à la fois, autant d'audits clos et d'écarts levés qu'on veut`,
        "deux phases, deux stratégies, deux services, deux personnes ; pour chaque règle, un contenu qui la respecte et un qui l'enfreint",
        delai,
      ],
      keeps: toutCeQuiCompte,
      samples: variees(bornes),
      days: jours,
      invariants: [jalonsDansLOrdre, etapesApresLeurJalon, finDefinitive],
    },
    {
      ...commun,
      name: 'jalons',
      label: 'Jalons et états finals',
      kept: "l'état, et où reprendre",
      bounds: ['aucune : ni les contenus, ni les dates, ni les personnes ne comptent'],
      enforces: [],
      keeps: retour,
      samples: UNIQUES,
      days: [0],
      invariants: [jalonsDansLOrdre, etapesApresLeurJalon, finDefinitive],
    },
    {
      ...commun,
      name: 'contradictoire',
      label: 'Griefs et sanctions',
      kept: "l'état, où reprendre, les griefs en cours et la date jusqu'à laquelle y répondre",
      bounds: [delai],
      enforces: ['contradictoire-respecte'],
      keeps: (dossier: Dossier) => ({ ...retour(dossier), griefs: griefs(dossier) }),
      samples: { ...UNIQUES, 'suivi.griefs-notifies': griefsDates([-1, ...jours]) },
      days: jours,
      invariants: [sanctionContradictoire],
    },
    {
      ...commun,
      name: 'quatre-yeux',
      label: 'Avis et décision',
      kept: "l'état, où reprendre, l'auteur de l'avis",
      bounds: ['trois personnes, dont deux de même émetteur et deux de même sujet'],
      enforces: ['quatre-yeux'],
      keeps: (dossier: Dossier) => ({ ...retour(dossier), avis: etape(dossier) === 'j3' ? auteur(dossier) : null }),
      samples: {
        ...UNIQUES,
        ...parPersonne('j3.avis-rendu', 'j3.qualification-accordee', 'j3.qualification-refusee'),
      },
      days: [0],
      invariants: [quatreYeux],
    },
    {
      ...commun,
      name: 'dates',
      label: 'Dates',
      kept: "l'état, où reprendre, et les dates dont une règle dépend encore, en jours depuis le dernier fait daté",
      bounds: [`${delai}, ou la veille`, 'un audit à la fois', 'une validité de un ou deux jours'],
      enforces: REGLES_DE_DATES,
      keeps: dates,
      samples: datees(bornes),
      days: [-1, ...jours],
      invariants: [
        jamaisARebours,
        completApresDesignation,
        clotureApresLeDelai,
        auditPasAvantSaDate,
        notificationApresLaDecision,
        rienApresLaFin,
      ],
    },
  ];
}
