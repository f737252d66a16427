import { addDays, addYears, BEFORE, FINAL, type Happening } from '@jalon/flow';
import { and, assign, setup } from 'xstate';
import {
  type Audit,
  auditsOuverts,
  type Constat,
  type Context,
  categoriesManquantes,
  entree,
  estOuvert,
  phasesNonAuditees,
  VIERGE,
} from './context.ts';
import {
  CATEGORIES,
  type CandidatureChargeDesigne,
  type CandidatureComplementsDemandes,
  type CandidatureComplementsRecus,
  type CandidatureDeposee,
  dossiersCites,
  type J1CentreChoisi,
  type J1StrategieProposee,
  type J2AuditOuvert,
  type J2AuditPlanifie,
  type J2ConstatReleve,
  type J3AvisRendu,
  type J3EnqueteConclue,
  type J3QualificationAccordee,
  type J3QualificationRefusee,
  type SuiviGriefsNotifies,
  type SuiviQualificationAbrogee,
  type SuiviRenouvellementDemande,
  type SuiviReserveLevee,
} from './facts.ts';
import { comporte, estConnu, type Version } from './referentiel.ts';

/** A rule: whether a fact may be accepted, by what the dossier remembers and what the fact says. */
const rule =
  <D = unknown>(holds: (dossier: Context, fact: Happening<D>) => boolean) =>
  ({ context, event }: { context: Context; event: Happening }) =>
    holds(context, event as Happening<D>);

/** What the dossier remembers of a fact. Every fact counts, so that none leaves the context as it was. */
const remember = <D = unknown, P extends { depuis: string } | undefined = undefined>(
  write: (dossier: Context, fact: Happening<D>, params: P) => Partial<Context>,
) =>
  assign<Context, Happening, P, Happening, never>(({ context, event }, params) => ({
    ...write(context, event as Happening<D>, params),
    faits: context.faits + 1,
  }));

const dansLaStrategie = ({ strategie }: Context, services: readonly string[]) =>
  services.every((service) => strategie?.services.includes(service) ?? false);

const auditEst = (etat: Audit['etat']) =>
  rule<{ audit: string }>(({ audits }, { data }) => entree(audits, data.audit)?.etat === etat);

const setAudit = (etat: Audit['etat']) =>
  remember<{ audit: string }>(({ audits }, { data: { audit } }) => ({
    audits: { ...audits, [audit]: { ...(audits[audit] as Audit), etat } },
  }));

const setConstat = (change: Partial<Constat>) =>
  remember<{ constat: string }>(({ constats }, { data: { constat } }) => ({
    constats: { ...constats, [constat]: { ...(constats[constat] as Constat), ...change } },
  }));

const guards = {
  // Candidature
  'referentiel-connu': rule<CandidatureDeposee>((_, { data }) => estConnu(data.referentiel)),
  'dossiers-cites-connus': rule<CandidatureDeposee>((_, { data, lookups }) =>
    dossiersCites(data).every((dossier) => lookups[dossier] != null),
  ),
  'accuse-pas-encore-emis': rule((dossier) => !dossier.accuse),
  'delai-a-venir': rule<CandidatureComplementsDemandes>((_, { data, effectiveAt }) => data.avantLe > effectiveAt),
  'delai-passe': rule((dossier, { effectiveAt }) => effectiveAt > (dossier.complementsAvantLe ?? '')),
  'pieces-completes': rule((dossier) => categoriesManquantes(dossier, CATEGORIES).length === 0),
  'accuse-emis': rule((dossier) => dossier.accuse),
  'charge-designe': rule(({ chargeDepuis }, { effectiveAt }) => chargeDepuis !== null && chargeDepuis <= effectiveAt),

  // Strategy
  'agrement-valide': rule<J1CentreChoisi>((_, { data, effectiveAt }) => data.agrement.valideJusquAu >= effectiveAt),
  'services-de-la-candidature': rule<J1StrategieProposee>(({ services }, { data }) =>
    data.perimetre.services.every((service) => services.includes(service)),
  ),
  'phase-sur-site': rule<J1StrategieProposee>((_, { data }) => data.phases.some(({ mode }) => mode === 'sur-site')),

  // Evaluation
  'phase-de-la-strategie': rule<J2AuditPlanifie>(
    ({ strategie }, { data }) => strategie?.phases.includes(data.phase) ?? false,
  ),
  'audit-nouveau': rule<J2AuditPlanifie>(({ audits }, { data }) => !Object.hasOwn(audits, data.audit)),
  'audit-debute-avant-sa-fin': rule<J2AuditPlanifie>((_, { data }) => data.du <= data.au),
  'audit-planifie': auditEst('planifie'),
  'audit-pas-avant-sa-date': rule<J2AuditOuvert>(
    ({ audits }, { data, effectiveAt }) => effectiveAt >= (entree(audits, data.audit)?.du ?? ''),
  ),
  'audit-ouvert': auditEst('ouvert'),
  'constat-nouveau': rule<J2ConstatReleve>(({ constats }, { data }) => !Object.hasOwn(constats, data.constat)),
  'exigence-du-referentiel': rule<J2ConstatReleve>(({ referentiel }, { data }) =>
    comporte(referentiel as Version, data.exigence),
  ),
  'gravite-d-une-non-conformite': rule<J2ConstatReleve>(
    (_, { data }) => (data.verdict === 'non-conforme') === (data.gravite !== undefined),
  ),
  'ecart-ouvert': rule<{ constat: string }>(({ constats }, { data }) => {
    const constat = entree(constats, data.constat);
    return constat !== undefined && estOuvert(constat);
  }),
  'phases-auditees': rule((dossier) => phasesNonAuditees(dossier).length === 0),
  'aucun-audit-ouvert': rule((dossier) => auditsOuverts(dossier).length === 0),
  'aucun-ecart-majeur-ouvert': rule(
    ({ constats }) => !Object.values(constats).some((constat) => constat.gravite === 'majeure' && estOuvert(constat)),
  ),
  'plan-pour-chaque-ecart-mineur': rule(({ constats }) =>
    Object.values(constats).every((constat) => constat.gravite !== 'mineure' || !estOuvert(constat) || constat.plan),
  ),
  'interrompue-en-plan-attendu': rule((dossier) => dossier.reprendreA === 'plan-attendu'),
  'interrompue-en-audits': rule((dossier) => dossier.reprendreA === 'audits'),
  'interrompue-en-revue': rule((dossier) => dossier.reprendreA === 'rapport-en-revue'),
  'interrompue-en-verifications': rule((dossier) => dossier.reprendreA === 'verifications'),

  // Decision
  'enquete-pas-encore-conclue': rule((dossier) => dossier.enquete === null),
  'services-de-la-strategie': rule<{ services: string[] }>((dossier, { data }) =>
    dansLaStrategie(dossier, data.services),
  ),
  'decidee-a-la-date-d-effet': rule<J3QualificationAccordee>(
    (_, { data, effectiveAt }) => data.decideeLe === effectiveAt,
  ),
  'decidee-avant-la-fin-de-validite': rule<J3QualificationAccordee>(
    (_, { data }) => data.decideeLe <= data.valideJusquAu,
  ),
  'validite-debute-avant-sa-fin': rule<J3QualificationAccordee>((_, { data }) => data.valideDu < data.valideJusquAu),
  'trois-ans-au-plus': rule<J3QualificationAccordee>((_, { data }) => data.valideJusquAu <= addYears(data.valideDu, 3)),
  'quatre-yeux': rule(({ avis }, { actor }) => avis?.iss !== actor.iss || avis.sub !== actor.sub),
  'enquete-non-defavorable': rule((dossier) => dossier.enquete !== 'defavorable'),

  // Life of the qualification
  'pas-apres-la-fin-de-validite': rule(
    ({ decision }, { effectiveAt }) => effectiveAt <= (decision?.valideJusquAu ?? effectiveAt),
  ),
  'pas-encore-notifiee': rule((dossier) => !dossier.notifiee),
  'pas-encore-publiee': rule((dossier) => !dossier.publiee),
  'pas-avant-la-decision': rule<{ le: string }>(({ decision }, { data }) => data.le >= (decision?.decideeLe ?? '')),
  'reserve-ouverte': rule<SuiviReserveLevee>(({ reserves }, { data }) => reserves.includes(data.reserve)),
  'qualification-etait-valide': rule(({ griefs }) => griefs?.depuis === 'valide'),
  'qualification-etait-suspendue': rule(({ griefs }) => griefs?.depuis === 'suspendue'),
  'contradictoire-respecte': rule(
    ({ griefs }, { effectiveAt }) =>
      griefs !== null && (griefs.observations || effectiveAt > griefs.observationsAvantLe),
  ),
  'effet-pas-avant-la-date-d-effet': rule<SuiviQualificationAbrogee>(
    (_, { data, effectiveAt }) => effectiveAt <= data.effetLe,
  ),
  'effet-pas-apres-la-fin-de-validite': rule<SuiviQualificationAbrogee>(
    ({ decision }, { data }) => data.effetLe <= (decision?.valideJusquAu ?? ''),
  ),
  'nouveau-dossier-lie': rule<SuiviRenouvellementDemande>(
    (_, { data, dossier, lookups }) => lookups[data.dossier]?.renouvelleDe === dossier,
  ),
  'pas-avant-le-lendemain-de-la-fin': rule(
    ({ decision }, { effectiveAt }) => effectiveAt >= lendemainDeLaFin(decision),
  ),
  'pas-apres-le-lendemain-de-la-fin': rule(
    ({ decision }, { effectiveAt }) => effectiveAt <= lendemainDeLaFin(decision),
  ),
};

function lendemainDeLaFin(decision: Context['decision']): string {
  return addDays(decision?.valideJusquAu as string, 1);
}

const actions = {
  compter: remember(() => ({})),

  // Candidature
  'ouvrir-le-dossier': remember<CandidatureDeposee>((_, { data }) => ({
    referentiel: { nom: data.referentiel.nom, version: data.referentiel.version },
    renouvelleDe: data.renouvelleDe ?? null,
    services: data.services.map(({ id }) => id),
    categories: [...new Set(data.pieces.map(({ categorie }) => categorie))],
  })),
  'retenir-l-accuse': remember(() => ({ accuse: true })),
  'designer-le-charge': remember<CandidatureChargeDesigne>(({ chargeDepuis }, { data, effectiveAt }) => ({
    charge: data.charge,
    chargeDepuis: chargeDepuis !== null && chargeDepuis < effectiveAt ? chargeDepuis : effectiveAt,
  })),
  'attendre-les-complements': remember<CandidatureComplementsDemandes>((_, { data }) => ({
    complementsAvantLe: data.avantLe,
  })),
  'ajouter-les-pieces': remember<CandidatureComplementsRecus>(({ categories }, { data }) => ({
    categories: [...new Set([...categories, ...data.pieces.map(({ categorie }) => categorie)])],
    complementsAvantLe: null,
  })),

  // Strategy
  'choisir-le-centre': remember<J1CentreChoisi>((_, { data }) => ({ centre: data.centre })),
  'examiner-la-strategie': remember<J1StrategieProposee>((_, { data }) => ({
    strategieProposee: { services: [...data.perimetre.services], phases: data.phases.map(({ id }) => id) },
  })),
  'ecarter-la-strategie': remember(() => ({ strategieProposee: null })),
  'valider-la-strategie': remember(({ strategieProposee }) => ({
    strategie: strategieProposee,
    strategieProposee: null,
  })),

  // Evaluation
  'planifier-l-audit': remember<J2AuditPlanifie>(({ audits }, { data: { audit, phase, du } }) => ({
    audits: { ...audits, [audit]: { phase, du, etat: 'planifie' } },
  })),
  'ouvrir-l-audit': setAudit('ouvert'),
  'clore-l-audit': setAudit('clos'),
  'relever-le-constat': remember<J2ConstatReleve>(({ constats }, { data: { constat, exigence, gravite = null } }) => ({
    constats: { ...constats, [constat]: { exigence, gravite, plan: false, leve: false } },
  })),
  'retenir-le-plan-d-action': setConstat({ plan: true }),
  'lever-l-ecart': setConstat({ leve: true }),
  interrompre: remember<unknown, { depuis: NonNullable<Context['reprendreA']> }>((_, __, { depuis }) => ({
    reprendreA: depuis,
  })),
  reprendre: remember(() => ({ reprendreA: null })),

  // Decision
  'retenir-l-enquete': remember<J3EnqueteConclue>((_, { data }) => ({ enquete: data.resultat })),
  'retenir-l-avis': remember<J3AvisRendu>((_, { data, actor }) => ({
    avis: { sens: data.sens, iss: actor.iss, sub: actor.sub },
  })),
  'oublier-l-avis': remember(() => ({ avis: null })),
  qualifier: remember<J3QualificationAccordee>((_, { data }) => ({
    decision: { decideeLe: data.decideeLe, valideJusquAu: data.valideJusquAu },
    reserves: data.reserves.map(({ id }) => id),
  })),
  refuser: remember<J3QualificationRefusee>((_, { data }) => ({
    decision: { decideeLe: data.decideeLe, valideJusquAu: null },
  })),

  // Life of the qualification
  'retenir-la-notification': remember(() => ({ notifiee: true })),
  'retenir-la-publication': remember(() => ({ publiee: true })),
  'lever-la-reserve': remember<SuiviReserveLevee>(({ reserves }, { data }) => ({
    reserves: reserves.filter((reserve) => reserve !== data.reserve),
  })),
  'mettre-en-cause': remember<SuiviGriefsNotifies, { depuis: 'valide' | 'suspendue' }>((_, { data }, { depuis }) => ({
    griefs: { depuis, observationsAvantLe: data.observationsAvantLe, observations: false },
  })),
  'retenir-les-observations': remember(({ griefs }) => ({ griefs: griefs && { ...griefs, observations: true } })),
  'oublier-les-griefs': remember(() => ({ griefs: null })),
};

/** What any state accepts, final or not. */
const toujours = {
  'dossier.note-ajoutee': { actions: 'compter' },
} as const;

/** What any state accepts that is not final. */
const enCours = {
  ...toujours,
  'candidature.charge-designe': { actions: 'designer-le-charge' },
  'dossier.cible-annoncee': { actions: 'compter' },
} as const;

/** What any state accepts until the decision of J3. */
const enInstruction = {
  ...enCours,
  'dossier.retire': { target: '#retiree-par-le-demandeur', actions: 'compter' },
} as const;

/** A dossier that is over: XState's own final states hear nothing more, and notes are still accepted here. */
const fini = <S extends string>(id: S, label: string) => ({ id, meta: { jalon: FINAL, label }, on: toujours }) as const;

/** The procedure: which fact is accepted in which state, under which rules, and where it leads. */
export const machine = setup({
  types: {} as { context: Context; events: Happening; meta: { jalon?: string; label?: string } },
  guards,
  actions,
}).createMachine({
  id: 'secnumcloud',
  context: VIERGE,
  initial: BEFORE,
  states: {
    [BEFORE]: {
      on: {
        'candidature.deposee': {
          target: 'candidature',
          guard: and(['referentiel-connu', 'dossiers-cites-connus']),
          actions: 'ouvrir-le-dossier',
        },
      },
    },

    candidature: {
      id: 'candidature',
      meta: { jalon: 'J0' },
      initial: 'deposee',
      on: enInstruction,
      states: {
        deposee: {
          meta: { label: 'Candidature déposée' },
          on: {
            'candidature.accuse-emis': { guard: 'accuse-pas-encore-emis', actions: 'retenir-l-accuse' },
            'candidature.complements-demandes': {
              target: 'incomplete',
              guard: 'delai-a-venir',
              actions: 'attendre-les-complements',
            },
            'candidature.completee': {
              target: 'complete',
              guard: and(['pieces-completes', 'accuse-emis', 'charge-designe']),
              actions: 'compter',
            },
          },
        },
        incomplete: {
          meta: { label: 'Candidature incomplète' },
          on: {
            'candidature.complements-recus': { target: 'deposee', actions: 'ajouter-les-pieces' },
            'candidature.cloturee': { target: '#cloturee', guard: 'delai-passe', actions: 'compter' },
          },
        },
        complete: {
          meta: { label: 'Candidature complète' },
          on: {
            'j0.acceptee': { target: '#j1', actions: 'compter' },
            'candidature.refusee': { target: '#refusee', actions: 'compter' },
          },
        },
      },
    },

    j1: {
      id: 'j1',
      meta: { jalon: 'J1' },
      initial: 'centre-attendu',
      on: enInstruction,
      states: {
        'centre-attendu': {
          meta: { label: "Choix du centre d'évaluation attendu" },
          on: {
            'j1.centre-choisi': {
              target: 'strategie-attendue',
              guard: 'agrement-valide',
              actions: 'choisir-le-centre',
            },
          },
        },
        'strategie-attendue': {
          meta: { label: "Stratégie d'évaluation attendue" },
          on: {
            'j1.centre-choisi': { guard: 'agrement-valide', actions: 'choisir-le-centre' },
            'j1.strategie-proposee': {
              target: 'strategie-en-examen',
              guard: and(['services-de-la-candidature', 'phase-sur-site']),
              actions: 'examiner-la-strategie',
            },
          },
        },
        'strategie-en-examen': {
          meta: { label: "Stratégie d'évaluation en examen" },
          on: {
            'j1.complements-demandes': { target: 'strategie-attendue', actions: 'ecarter-la-strategie' },
            'j1.strategie-rejetee': { target: 'centre-attendu', actions: 'ecarter-la-strategie' },
            'j1.strategie-validee': { target: '#j2', actions: 'valider-la-strategie' },
          },
        },
      },
    },

    j2: {
      id: 'j2',
      meta: { jalon: 'J2' },
      initial: 'plan-attendu',
      on: enInstruction,
      states: {
        'plan-attendu': {
          meta: { label: "Plan d'évaluation attendu" },
          on: {
            'j2.plan-valide': { target: 'audits', actions: 'compter' },
            'j2.evaluation-interrompue': {
              target: 'interrompue',
              actions: { type: 'interrompre', params: { depuis: 'plan-attendu' } },
            },
          },
        },
        audits: {
          meta: { label: 'Audits en cours' },
          on: {
            'j2.audit-planifie': {
              guard: and(['phase-de-la-strategie', 'audit-nouveau', 'audit-debute-avant-sa-fin']),
              actions: 'planifier-l-audit',
            },
            'j2.audit-ouvert': {
              guard: and(['audit-planifie', 'audit-pas-avant-sa-date']),
              actions: 'ouvrir-l-audit',
            },
            'j2.constat-releve': {
              guard: and([
                'audit-ouvert',
                'constat-nouveau',
                'exigence-du-referentiel',
                'gravite-d-une-non-conformite',
              ]),
              actions: 'relever-le-constat',
            },
            'j2.plan-d-action-remis': { guard: 'ecart-ouvert', actions: 'retenir-le-plan-d-action' },
            'j2.ecart-leve': { guard: 'ecart-ouvert', actions: 'lever-l-ecart' },
            'j2.audit-clos': { guard: 'audit-ouvert', actions: 'clore-l-audit' },
            'j2.rapport-remis': {
              target: 'rapport-en-revue',
              guard: and(['phases-auditees', 'aucun-audit-ouvert']),
              actions: 'compter',
            },
            'j2.strategie-a-amender': { target: '#j1', guard: 'aucun-audit-ouvert', actions: 'compter' },
            'j2.evaluation-interrompue': {
              target: 'interrompue',
              actions: { type: 'interrompre', params: { depuis: 'audits' } },
            },
          },
        },
        'rapport-en-revue': {
          meta: { label: "Rapport d'évaluation en revue" },
          on: {
            'j2.plan-d-action-remis': { guard: 'ecart-ouvert', actions: 'retenir-le-plan-d-action' },
            'j2.verification-demandee': { target: 'verifications', actions: 'compter' },
            'j2.rapport-rejete': { target: 'audits', actions: 'compter' },
            'j2.rapport-accepte': {
              target: '#j3',
              guard: and(['aucun-ecart-majeur-ouvert', 'plan-pour-chaque-ecart-mineur']),
              actions: 'compter',
            },
            'j2.evaluation-interrompue': {
              target: 'interrompue',
              actions: { type: 'interrompre', params: { depuis: 'rapport-en-revue' } },
            },
          },
        },
        verifications: {
          meta: { label: 'Vérifications complémentaires' },
          on: {
            'j2.plan-d-action-remis': { guard: 'ecart-ouvert', actions: 'retenir-le-plan-d-action' },
            'j2.ecart-leve': { guard: 'ecart-ouvert', actions: 'lever-l-ecart' },
            'j2.verification-remise': { target: 'rapport-en-revue', actions: 'compter' },
            'j2.evaluation-interrompue': {
              target: 'interrompue',
              actions: { type: 'interrompre', params: { depuis: 'verifications' } },
            },
          },
        },
        interrompue: {
          meta: { label: 'Évaluation interrompue' },
          on: {
            'j2.evaluation-reprise': [
              { target: 'plan-attendu', guard: 'interrompue-en-plan-attendu', actions: 'reprendre' },
              { target: 'audits', guard: 'interrompue-en-audits', actions: 'reprendre' },
              { target: 'rapport-en-revue', guard: 'interrompue-en-revue', actions: 'reprendre' },
              { target: 'verifications', guard: 'interrompue-en-verifications', actions: 'reprendre' },
            ],
            'j2.strategie-a-amender': { target: '#j1', guard: 'aucun-audit-ouvert', actions: 'reprendre' },
          },
        },
      },
    },

    j3: {
      id: 'j3',
      meta: { jalon: 'J3' },
      initial: 'instruction',
      on: enInstruction,
      states: {
        instruction: {
          meta: { label: 'Instruction de la décision' },
          on: {
            'j3.enquete-conclue': { guard: 'enquete-pas-encore-conclue', actions: 'retenir-l-enquete' },
            'j3.avis-rendu': { target: 'avis-rendu', actions: 'retenir-l-avis' },
          },
        },
        'avis-rendu': {
          meta: { label: 'Avis rendu, décision attendue' },
          on: {
            'j3.avis-retire': { target: 'instruction', actions: 'oublier-l-avis' },
            'j3.qualification-accordee': {
              target: '#qualifiee',
              guard: and([
                'services-de-la-strategie',
                'decidee-a-la-date-d-effet',
                'decidee-avant-la-fin-de-validite',
                'validite-debute-avant-sa-fin',
                'trois-ans-au-plus',
                'quatre-yeux',
                'enquete-non-defavorable',
              ]),
              actions: 'qualifier',
            },
            'j3.qualification-refusee': { target: '#refusee-j3', guard: 'quatre-yeux', actions: 'refuser' },
          },
        },
      },
    },

    qualifiee: {
      id: 'qualifiee',
      meta: { jalon: 'suivi' },
      initial: 'valide',
      on: {
        ...enCours,
        'suivi.decision-notifiee': {
          guard: and(['pas-apres-la-fin-de-validite', 'pas-encore-notifiee', 'pas-avant-la-decision']),
          actions: 'retenir-la-notification',
        },
        'suivi.decision-publiee': {
          guard: and(['pas-apres-la-fin-de-validite', 'pas-encore-publiee', 'pas-avant-la-decision']),
          actions: 'retenir-la-publication',
        },
        'suivi.surveillance-realisee': { guard: 'pas-apres-la-fin-de-validite', actions: 'compter' },
        'suivi.reserve-levee': {
          guard: and(['pas-apres-la-fin-de-validite', 'reserve-ouverte']),
          actions: 'lever-la-reserve',
        },
        'suivi.renouvellement-demande': {
          guard: and(['pas-apres-la-fin-de-validite', 'nouveau-dossier-lie']),
          actions: 'compter',
        },
        'suivi.renonciation': { target: '#renoncee', guard: 'pas-apres-la-fin-de-validite', actions: 'compter' },
        'suivi.qualification-expiree': {
          target: '#expiree',
          guard: and(['pas-avant-le-lendemain-de-la-fin', 'pas-apres-le-lendemain-de-la-fin']),
          actions: 'compter',
        },
      },
      states: {
        valide: {
          meta: { label: 'Qualification valide' },
          on: {
            'suivi.controle-ordonne': { guard: 'pas-apres-la-fin-de-validite', actions: 'compter' },
            'suivi.modification-notifiee': { guard: 'pas-apres-la-fin-de-validite', actions: 'compter' },
            'suivi.perimetre-modifie': {
              guard: and(['pas-apres-la-fin-de-validite', 'services-de-la-strategie']),
              actions: 'compter',
            },
            'suivi.griefs-notifies': {
              target: 'mise-en-cause',
              guard: 'pas-apres-la-fin-de-validite',
              actions: { type: 'mettre-en-cause', params: { depuis: 'valide' } },
            },
          },
        },
        'mise-en-cause': {
          meta: { label: 'Qualification mise en cause' },
          on: {
            'suivi.observations-presentees': {
              guard: 'pas-apres-la-fin-de-validite',
              actions: 'retenir-les-observations',
            },
            'suivi.griefs-abandonnes': [
              {
                target: 'valide',
                guard: and(['qualification-etait-valide', 'pas-apres-la-fin-de-validite']),
                actions: 'oublier-les-griefs',
              },
              {
                target: 'suspendue',
                guard: and(['qualification-etait-suspendue', 'pas-apres-la-fin-de-validite']),
                actions: 'oublier-les-griefs',
              },
            ],
            'suivi.qualification-suspendue': {
              target: 'suspendue',
              guard: and(['pas-apres-la-fin-de-validite', 'contradictoire-respecte']),
              actions: 'compter',
            },
            'suivi.qualification-abrogee': {
              target: '#abrogee',
              guard: and([
                'pas-apres-la-fin-de-validite',
                'contradictoire-respecte',
                'effet-pas-avant-la-date-d-effet',
                'effet-pas-apres-la-fin-de-validite',
              ]),
              actions: 'compter',
            },
            'suivi.qualification-retiree': {
              target: '#retiree',
              guard: and(['pas-apres-la-fin-de-validite', 'contradictoire-respecte']),
              actions: 'compter',
            },
          },
        },
        suspendue: {
          meta: { label: 'Qualification suspendue' },
          on: {
            'suivi.controle-ordonne': { guard: 'pas-apres-la-fin-de-validite', actions: 'compter' },
            'suivi.modification-notifiee': { guard: 'pas-apres-la-fin-de-validite', actions: 'compter' },
            'suivi.suspension-levee': { target: 'valide', guard: 'pas-apres-la-fin-de-validite', actions: 'compter' },
            'suivi.griefs-notifies': {
              target: 'mise-en-cause',
              guard: 'pas-apres-la-fin-de-validite',
              actions: { type: 'mettre-en-cause', params: { depuis: 'suspendue' } },
            },
          },
        },
      },
    },

    refusee: fini('refusee', 'Candidature refusée'),
    cloturee: fini('cloturee', 'Candidature clôturée sans suite'),
    'retiree-par-le-demandeur': fini('retiree-par-le-demandeur', 'Dossier retiré par le demandeur'),
    'refusee-j3': {
      id: 'refusee-j3',
      meta: { jalon: FINAL, label: 'Qualification refusée' },
      on: {
        ...toujours,
        'suivi.decision-notifiee': {
          guard: and(['pas-encore-notifiee', 'pas-avant-la-decision']),
          actions: 'retenir-la-notification',
        },
      },
    },
    abrogee: fini('abrogee', 'Qualification abrogée'),
    retiree: fini('retiree', 'Qualification retirée'),
    renoncee: fini('renoncee', 'Qualification à laquelle il a été renoncé'),
    expiree: fini('expiree', 'Qualification expirée'),
  },
});
