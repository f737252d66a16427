import { addDays, addYears, type Happening, type Reason } from '@jalon/flow';
import type { Context } from './context.ts';
import type {
  J3QualificationAccordee,
  SuiviQualificationAbrogee,
  SuiviRenouvellementDemande,
  SuiviReserveLevee,
} from './facts.ts';
import { date, enumerer, le, nommer, parmi, servicesHors } from './phrases.ts';

const finDeValidite = date('Fin de la validité', ({ decision }) => decision?.valideJusquAu);

/** What is said of the rules of the decision of J3, and of the life of a qualification. */
export const reasonsOfDecisions: Readonly<Record<string, Reason>> = {
  // Decision
  'enquete-pas-encore-conclue': {
    asks: "L'enquête n'est conclue qu'une fois.",
    holds: "L'enquête n'a pas encore été conclue.",
    fails: ({ enquete }: Context) =>
      `L'enquête est déjà conclue : elle est ${enquete === 'defavorable' ? 'défavorable' : 'favorable'}.`,
    reads: ['enquete'],
  },
  'services-de-la-strategie': {
    asks: 'Tous les services doivent être du périmètre de la stratégie validée.',
    holds: 'Tous les services sont du périmètre de la stratégie validée.',
    detail: parmi('Services de la stratégie', ({ strategie }) => strategie?.services ?? []),
    fails: ({ strategie }: Context, { data }: Happening<{ services: string[] }>) =>
      servicesHors(data.services, strategie?.services ?? [], 'de la stratégie validée'),
    needs: ['payload'],
    field: 'services',
  },
  'decidee-a-la-date-d-effet': {
    asks: "La date de la décision doit être la date d'effet.",
    holds: "La date de la décision est la date d'effet.",
    fails: (_: Context, { data, effectiveAt }: Happening<J3QualificationAccordee>) =>
      `La décision est datée du ${le(data.decideeLe)}, et la date d'effet est le ${le(effectiveAt)}.`,
    needs: ['payload', 'date'],
    field: 'decideeLe',
  },
  'decidee-avant-la-fin-de-validite': {
    asks: "La décision ne doit pas être postérieure à la fin de la validité qu'elle accorde.",
    holds: "La décision n'est pas postérieure à la fin de la validité qu'elle accorde.",
    fails: (_: Context, { data }: Happening<J3QualificationAccordee>) =>
      `La décision est datée du ${le(data.decideeLe)}, après la fin de la validité qu'elle accorde (${le(data.valideJusquAu)}).`,
    needs: ['payload'],
    field: 'valideJusquAu',
  },
  'validite-debute-avant-sa-fin': {
    asks: 'La validité doit commencer avant de prendre fin.',
    holds: 'La validité commence avant de prendre fin.',
    fails: (_: Context, { data }: Happening<J3QualificationAccordee>) =>
      `La validité commencerait le ${le(data.valideDu)} pour prendre fin le ${le(data.valideJusquAu)}.`,
    needs: ['payload'],
    field: 'valideJusquAu',
  },
  'trois-ans-au-plus': {
    asks: 'La validité doit être de trois ans au plus.',
    holds: 'La validité est de trois ans au plus.',
    fails: (_: Context, { data }: Happening<J3QualificationAccordee>) =>
      `La validité va du ${le(data.valideDu)} au ${le(data.valideJusquAu)}, plus de trois ans : elle peut aller jusqu'au ${le(addYears(data.valideDu, 3))}.`,
    needs: ['payload'],
    field: 'valideJusquAu',
  },
  'quatre-yeux': {
    asks: "L'auteur de la décision ne doit pas être celui de l'avis.",
    holds: "L'auteur de la décision n'est pas celui de l'avis.",
    fails: (_: Context, { actor: { sub } }: Happening) => ({
      message: `« ${sub} » est l'auteur de l'avis : une autre personne doit prendre la décision.`,
      items: nommer('acteur', [sub]),
    }),
    needs: ['actor'],
    reads: ['avis'],
  },
  'enquete-non-defavorable': {
    asks: 'Une enquête défavorable interdit la qualification.',
    holds: "Aucune enquête défavorable n'interdit la qualification.",
    fails: () => "L'enquête est défavorable : la qualification ne peut pas être accordée.",
    reads: ['enquete'],
  },

  // Life of the qualification
  'pas-apres-la-fin-de-validite': {
    asks: "La date d'effet ne doit pas être postérieure à la fin de la validité.",
    holds: "La fin de la validité n'est pas passée.",
    detail: finDeValidite,
    fails: ({ decision }: Context, { effectiveAt }: Happening) =>
      `La validité a pris fin le ${le(decision?.valideJusquAu)} ; la date d'effet (${le(effectiveAt)}) est postérieure.`,
    needs: ['date'],
  },
  'pas-encore-notifiee': {
    asks: "La décision n'est notifiée qu'une fois.",
    holds: "La décision n'a pas encore été notifiée.",
    fails: () => 'La décision a déjà été notifiée.',
  },
  'pas-encore-publiee': {
    asks: "La décision n'est publiée qu'une fois.",
    holds: "La décision n'a pas encore été publiée.",
    fails: () => 'La décision a déjà été publiée.',
  },
  'pas-avant-la-decision': {
    asks: 'Cette date ne doit pas être antérieure à celle de la décision.',
    holds: "Cette date n'est pas antérieure à celle de la décision.",
    detail: date('Décision du', ({ decision }) => decision?.decideeLe),
    fails: ({ decision }: Context, { data }: Happening<{ le: string }>) =>
      `Cette date (${le(data.le)}) est antérieure à celle de la décision (${le(decision?.decideeLe)}).`,
    needs: ['payload'],
    field: 'le',
  },
  'reserve-ouverte': {
    asks: 'La réserve doit être encore ouverte.',
    holds: 'La réserve est encore ouverte.',
    detail: parmi('Réserves ouvertes', ({ reserves }) => reserves),
    fails: ({ reserves }: Context, { data: { reserve } }: Happening<SuiviReserveLevee>) => ({
      message: `La réserve ${reserve} n'est pas ouverte. Les réserves ouvertes sont : ${enumerer(reserves) || 'aucune'}.`,
      items: nommer('reserve', [reserve]),
    }),
    needs: ['payload'],
    field: 'reserve',
  },
  'contradictoire-respecte': {
    asks: 'Les observations sur les griefs doivent avoir été présentées, ou la date pour les présenter être passée.',
    holds: 'Les observations sur les griefs ont été présentées, ou la date pour les présenter est passée.',
    fails: ({ griefs }: Context) =>
      `Aucune observation sur les griefs n'a été présentée, et elles peuvent l'être jusqu'au ${le(griefs?.observationsAvantLe)} inclus.`,
    needs: ['date'],
    reads: ['griefs'],
  },
  'effet-pas-avant-la-date-d-effet': {
    asks: "L'abrogation ne doit pas prendre effet avant la date de la décision.",
    holds: "L'abrogation ne prend pas effet avant la date de la décision.",
    fails: (_: Context, { data, effectiveAt }: Happening<SuiviQualificationAbrogee>) =>
      `L'abrogation prendrait effet le ${le(data.effetLe)}, avant la date de la décision (${le(effectiveAt)}).`,
    needs: ['payload', 'date'],
    field: 'effetLe',
  },
  'effet-pas-apres-la-fin-de-validite': {
    asks: "L'abrogation doit prendre effet au plus tard à la fin de la validité.",
    holds: "L'abrogation prend effet au plus tard à la fin de la validité.",
    detail: finDeValidite,
    fails: ({ decision }: Context, { data }: Happening<SuiviQualificationAbrogee>) =>
      `L'abrogation prendrait effet le ${le(data.effetLe)}, après la fin de la validité (${le(decision?.valideJusquAu)}).`,
    needs: ['payload'],
    field: 'effetLe',
  },
  'nouveau-dossier-lie': {
    asks: "Le nouveau dossier doit exister et indiquer qu'il renouvelle celui-ci.",
    holds: "Le nouveau dossier existe et indique qu'il renouvelle celui-ci.",
    fails: (_: Context, { data: { dossier } }: Happening<SuiviRenouvellementDemande>) => ({
      message: `Le dossier ${dossier} n'existe pas, ou n'indique pas qu'il renouvelle celui-ci.`,
      items: nommer('dossier', [dossier]),
    }),
    needs: ['payload', 'lookup'],
    field: 'dossier',
  },
  'pas-avant-le-lendemain-de-la-fin': {
    asks: "La date d'effet ne doit pas être antérieure au lendemain de la fin de la validité.",
    holds: "La date d'effet n'est pas antérieure au lendemain de la fin de la validité.",
    detail: finDeValidite,
    fails: ({ decision }: Context) =>
      `La qualification est valide jusqu'au ${le(decision?.valideJusquAu)} inclus : elle n'expire que le lendemain.`,
    needs: ['date'],
  },
  'pas-apres-le-lendemain-de-la-fin': {
    asks: "La date d'effet ne doit pas être postérieure au lendemain de la fin de la validité.",
    holds: "La date d'effet n'est pas postérieure au lendemain de la fin de la validité.",
    detail: finDeValidite,
    fails: ({ decision }: Context, { effectiveAt }: Happening) =>
      `La qualification a expiré le ${le(decision?.valideJusquAu && addDays(decision.valideJusquAu, 1))} : la date d'effet ne peut pas être le ${le(effectiveAt)}.`,
    needs: ['date'],
  },
};
