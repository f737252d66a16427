import { addDays, type CalendarDate, type Invariant, invariant, type PastFact } from '@jalon/flow';
import type {
  CandidatureComplementsDemandes,
  J2AuditPlanifie,
  J3QualificationAccordee,
  SuiviDecisionNotifiee,
  SuiviGriefsNotifies,
  SuiviQualificationAbrogee,
} from './facts.ts';

/** What a fact says, once its type is known. */
const dit = <D>(fact: PastFact) => fact.data as D;

const JALONS = ['J0', 'J1', 'J2', 'J3'];

/** The three jalons before that of J3, each once, in this order. */
export const jalonsDansLOrdre = invariant<string[]>({
  name: 'jalons-dans-l-ordre',
  sentence: "J1 n'est jamais franchi sans J0, J2 jamais sans J1, J3 jamais sans J2 ; chacun l'est une fois.",
  starts: [],
  watch: (franchis, { crosses, fact }, fail) => {
    if (crosses === undefined) return franchis;
    if (crosses !== JALONS[franchis.length])
      fail(`${fact.type} franchit ${crosses} après ${franchis.join(', ') || 'aucun jalon'}.`);
    return [...franchis, crosses];
  },
});

/** Jalon of a state, or final state -> the jalon that was crossed before. */
const APRES: Readonly<Record<string, string>> = {
  ...{ J1: 'J0', J2: 'J1', J3: 'J2', suivi: 'J3' },
  ...{ 'refusee-j3': 'J3', abrogee: 'J3', retiree: 'J3', renoncee: 'J3', expiree: 'J3' },
};

/** No state of the qualification without the jalon that grants it: what is decided is not reached beside the decision. */
export const etapesApresLeurJalon = invariant<string[]>({
  name: 'etapes-apres-leur-jalon',
  sentence:
    'Chaque étape commence après le jalon qui la précède : j1 après J0, j2 après J1, j3 après J2, la suite après J3.',
  starts: [],
  watch: (franchis, { crosses, after: { state }, fact }, fail) => {
    const acquis = crosses === undefined ? franchis : [...franchis, crosses];
    const requis = APRES[state.jalon] ?? APRES[state.state];
    if (requis && !acquis.includes(requis)) fail(`${fact.type} mène à ${state.state} sans ${requis}.`);
    return acquis;
  },
});

const SANCTIONS = ['suivi.qualification-suspendue', 'suivi.qualification-abrogee', 'suivi.qualification-retiree'];

/** Each sanction answers grievances of its own: those of a sanction already taken, or given up, do not serve again. */
export const sanctionContradictoire = invariant<{ avant: CalendarDate; presentees: boolean } | null>({
  name: 'sanction-contradictoire',
  sentence:
    'Aucune suspension, abrogation ni retrait sans griefs notifiés, puis observations présentées ou date pour les présenter passée.',
  starts: null,
  watch: (griefs, { fact }, fail) => {
    if (fact.type === 'suivi.griefs-notifies')
      return { avant: dit<SuiviGriefsNotifies>(fact).observationsAvantLe, presentees: false };
    if (fact.type === 'suivi.observations-presentees') return griefs && { ...griefs, presentees: true };
    if (fact.type === 'suivi.griefs-abandonnes') return null;
    if (!SANCTIONS.includes(fact.type)) return griefs;
    if (griefs === null) fail(`${fact.type} sans griefs notifiés.`);
    else if (!griefs.presentees && fact.effectiveAt <= griefs.avant)
      fail(`${fact.type} le ${fact.effectiveAt}, sans observations et avant la fin du délai (${griefs.avant}).`);
    return null;
  },
});

const DECISIONS = ['j3.qualification-accordee', 'j3.qualification-refusee'];

/** Same issuer and same subject, as long as the opinion is not withdrawn. */
export const quatreYeux = invariant<{ iss: string; sub: string } | null>({
  name: 'quatre-yeux',
  sentence: "Aucune décision de J3 sans avis, ni par l'auteur de l'avis.",
  starts: null,
  watch: (auteur, { fact }, fail) => {
    if (fact.type === 'j3.avis-rendu') return { iss: fact.actor.iss, sub: fact.actor.sub };
    if (fact.type === 'j3.avis-retire') return null;
    if (!DECISIONS.includes(fact.type)) return auteur;
    if (auteur === null) fail(`${fact.type} sans avis.`);
    else if (auteur.iss === fact.actor.iss && auteur.sub === fact.actor.sub)
      fail(`${fact.type} par ${fact.actor.sub}, auteur de l'avis.`);
    return null;
  },
});

/** Facts that are handled beside the machine, in any state. */
const CORRECTIONS = ['dossier.fait-rectifie', 'dossier.fait-annule'];
const NOTE = 'dossier.note-ajoutee';
const NOTIFICATION = 'suivi.decision-notifiee';

/** What a dossier that is over still hears: notes for ever, the notification of a refusal once. */
export const finDefinitive = invariant<{ notifiee: boolean }>({
  name: 'fin-definitive',
  sentence:
    "Un état final n'accepte que notes, rectifications et annulations, et, pour une qualification refusée, sa notification ; il n'est plus quitté.",
  starts: { notifiee: false },
  watch: ({ notifiee }, { before, after, fact }, fail) => {
    const { state, final } = before.state;
    const refus = state === 'refusee-j3' && fact.type === NOTIFICATION;
    if (final && !refus && ![NOTE, ...CORRECTIONS].includes(fact.type)) fail(`${fact.type} est accepté en ${state}.`);
    if (final && after.state !== before.state) fail(`${fact.type} mène de ${state} à ${after.state.state}.`);
    return { notifiee: notifiee || fact.type === NOTIFICATION };
  },
  expects: ({ state }, { notifiee }) => {
    if (!state.final) return [];
    return state.state === 'refusee-j3' && !notifiee ? [NOTE, NOTIFICATION] : [NOTE];
  },
});

/** Facts that may carry any past date. */
const LIBRES = [
  'candidature.charge-designe',
  'dossier.cible-annoncee',
  'dossier.version-changee',
  NOTE,
  ...CORRECTIONS,
];

/** Whatever a fact depends on lies before it, or on the same day. */
export const jamaisARebours = invariant<CalendarDate | null>({
  name: 'dates-jamais-a-rebours',
  sentence:
    "La date d'effet d'un fait n'est jamais antérieure à celle d'un fait qui le précède, faits libres exceptés.",
  starts: null,
  watch: (depuis, { fact }, fail) => {
    if (LIBRES.includes(fact.type)) return depuis;
    if (depuis !== null && fact.effectiveAt < depuis)
      fail(`${fact.type} prend effet le ${fact.effectiveAt}, après un fait du ${depuis}.`);
    return fact.effectiveAt;
  },
});

/** The designation is a free fact: its date must be asked for where it matters. */
export const completApresDesignation = invariant<CalendarDate | null>({
  name: 'complet-apres-designation',
  sentence: "Une candidature n'est complète qu'à partir du jour où un chargé de qualification est désigné.",
  starts: null,
  watch: (depuis, { fact }, fail) => {
    if (fact.type === 'candidature.charge-designe')
      return depuis !== null && depuis < fact.effectiveAt ? depuis : fact.effectiveAt;
    if (fact.type === 'candidature.completee' && (depuis === null || depuis > fact.effectiveAt))
      fail(`candidature.completee le ${fact.effectiveAt}, chargé désigné ${depuis ? `le ${depuis}` : 'jamais'}.`);
    return depuis;
  },
});

export const clotureApresLeDelai = invariant<CalendarDate | null>({
  name: 'cloture-apres-le-delai',
  sentence: "Une candidature n'est clôturée sans suite qu'après le délai accordé pour les compléments.",
  starts: null,
  watch: (avant, { fact }, fail) => {
    if (fact.type === 'candidature.complements-demandes') return dit<CandidatureComplementsDemandes>(fact).avantLe;
    if (fact.type === 'candidature.complements-recus') return null;
    if (fact.type === 'candidature.cloturee' && (avant === null || fact.effectiveAt <= avant))
      fail(`candidature.cloturee le ${fact.effectiveAt}, délai ${avant ? `jusqu'au ${avant}` : 'jamais accordé'}.`);
    return avant;
  },
});

/** Planned audits that are not yet open: id -> first day. */
export const auditPasAvantSaDate = invariant<Readonly<Record<string, CalendarDate>>>({
  name: 'audit-pas-avant-sa-date',
  sentence: "Un audit n'est ouvert qu'une fois planifié, et pas avant la date prévue.",
  starts: {},
  watch: (planifies, { fact }, fail) => {
    const { audit, du } = dit<J2AuditPlanifie>(fact);
    if (fact.type === 'j2.audit-planifie') return { ...planifies, [audit]: du };
    if (fact.type !== 'j2.audit-ouvert') return planifies;
    const { [audit]: prevu, ...autres } = planifies;
    if (prevu === undefined) fail(`j2.audit-ouvert : ${audit} n'est pas planifié.`);
    else if (fact.effectiveAt < prevu) fail(`j2.audit-ouvert le ${fact.effectiveAt}, prévu le ${prevu}.`);
    return autres;
  },
});

export const notificationApresLaDecision = invariant<CalendarDate | null>({
  name: 'notification-apres-la-decision',
  sentence: "Une décision n'est ni notifiée ni publiée avant d'être prise.",
  starts: null,
  watch: (decidee, { fact }, fail) => {
    if (DECISIONS.includes(fact.type)) return dit<J3QualificationAccordee>(fact).decideeLe;
    if (fact.type !== NOTIFICATION && fact.type !== 'suivi.decision-publiee') return decidee;
    const { le } = dit<SuiviDecisionNotifiee>(fact);
    if (decidee === null || le < decidee)
      fail(`${fact.type} : le ${le}, décision ${decidee ? `du ${decidee}` : 'jamais prise'}.`);
    return decidee;
  },
});

/** Nothing dated happens to a qualification that has run out, but that it is said to have. */
export const rienApresLaFin = invariant<CalendarDate | null>({
  name: 'rien-apres-la-fin-de-validite',
  sentence:
    "Aucun fait ne prend effet après la fin de validité, sauf l'expiration, le lendemain, et les faits libres ; une abrogation prend effet au plus tard ce jour-là.",
  starts: null,
  watch: (fin, { fact }, fail) => {
    if (fact.type === 'j3.qualification-accordee') return dit<J3QualificationAccordee>(fact).valideJusquAu;
    if (fin === null || LIBRES.includes(fact.type)) return fin;
    const { effectiveAt, type } = fact;
    if (type === 'suivi.qualification-expiree') {
      if (effectiveAt !== addDays(fin, 1)) fail(`${type} le ${effectiveAt}, fin de validité le ${fin}.`);
    } else if (effectiveAt > fin) fail(`${type} le ${effectiveAt}, après la fin de validité (${fin}).`);
    if (type === 'suivi.qualification-abrogee') {
      const { effetLe } = dit<SuiviQualificationAbrogee>(fact);
      if (effetLe < effectiveAt || effetLe > fin)
        fail(`${type} le ${effectiveAt}, avec effet le ${effetLe} (fin : ${fin}).`);
    }
    return fin;
  },
});

/** What holds on every path of the procedure, proven by its explorations. */
export const invariants: readonly Invariant[] = [
  jalonsDansLOrdre,
  etapesApresLeurJalon,
  sanctionContradictoire,
  quatreYeux,
  finDefinitive,
  jamaisARebours,
  completApresDesignation,
  clotureApresLeDelai,
  auditPasAvantSaDate,
  notificationApresLaDecision,
  rienApresLaFin,
];
