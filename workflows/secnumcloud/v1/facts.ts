import {
  Checked,
  DateField,
  Digest,
  defineFact,
  Identifier,
  Identifiers,
  isCalendarDate,
  ListOf,
  Nested,
  OneOf,
  SomeOf,
  sirenOf,
  Text,
  Texts,
  Uuid,
  Uuids,
  unseenIn,
} from '@jalon/flow';
import { PAYS } from './pays.ts';
import { ABONNE, CENTRE, CHARGE, CHEF, DIRECTEUR, HORLOGE, PRESTATAIRE } from './roles.ts';

/** The six categories of a complete application file. */
export const CATEGORIES = [
  'architecture',
  'mesures-de-securite',
  'reseaux',
  'equipements',
  'serveurs',
  'sous-traitants',
] as const;

const TYPES = ['IaaS', 'CaaS', 'PaaS', 'SaaS'];
const MODES = ['documents', 'sur-site'];
const JALONS = ['J0', 'J1', 'J2', 'J3'];

/** Facts that ANSSI keeps to itself and to the auditor. */
const INTERNE = [PRESTATAIRE, CENTRE, ABONNE];
/** Facts that stay between the parties and ANSSI. */
const CONFIDENTIEL = [ABONNE];

const PERIODE = /^(19|20|21)\d{2}(-(T[1-4]|S[12]|(0[1-9]|1[0-2])(-(0[1-9]|[12]\d|3[01]))?))?$/;

/** `2026`, `2026-T2`, `2026-S1`, `2026-06`, or a date. */
function estPeriode(text: string): boolean {
  return PERIODE.test(text) && (text.length < 10 || isCalendarDate(text));
}

// ── What payloads are made of ───────────────────────────────────────────────────────────────────────────────────────

/** A document of the file, which stays outside: its reference, and the digest by which it is recognised. */
export class Document {
  @Text({ label: 'Référence', max: 200 }) reference!: string;
  @Text({ label: 'Titre', max: 300 }) titre!: string;
  @Digest({ label: 'Empreinte', hint: 'SHA-256 du fichier, en hexadécimal' }) empreinte!: string;
}

export class Prestataire {
  @Text({ label: 'Raison sociale', max: 200 }) nom!: string;
  @Checked({
    label: 'SIREN',
    hint: 'Neuf chiffres, ou les quatorze du SIRET ; les espaces ne comptent pas',
    optional: true,
    accepts: (texte) =>
      texte.length <= 32 && unseenIn(texte, { lines: false }) === undefined && sirenOf(texte) !== undefined,
    message: 'Un SIREN est attendu : neuf chiffres, dont le dernier est une clé de contrôle.',
    schema: { pattern: '^\\s*(\\d\\s*){9}((\\d\\s*){5})?$', maxLength: 32 },
  })
  siren?: string;
}

export class Service {
  @Identifier({ label: 'Identifiant' }) id!: string;
  @Text({ label: 'Nom', max: 200 }) nom!: string;
  @OneOf(TYPES, { label: 'Type' }) type!: string;
}

export class Referentiel {
  @Text({ label: 'Nom', max: 100 }) nom!: string;
  @Text({ label: 'Version', max: 20 }) version!: string;
}

export class Piece {
  @OneOf(CATEGORIES, { label: 'Catégorie' }) categorie!: string;
  @Nested(() => Document, { label: 'Document' }) document!: Document;
}

export class SousTraitant {
  @Text({ label: 'Nom', max: 200 }) nom!: string;
  @OneOf(PAYS, { label: 'Pays', hint: 'Code ISO 3166-1 à deux lettres' }) pays!: string;
}

export class Agrement {
  @Text({ label: 'Référence', max: 200 }) reference!: string;
  @DateField({ label: "Valide jusqu'au" }) valideJusquAu!: string;
}

export class Site {
  @Text({ label: 'Nom', max: 200 }) nom!: string;
  @Text({ label: 'Région', max: 200 }) region!: string;
}

export class Perimetre {
  @Identifiers({ label: 'Services', hint: 'Identifiants de services de la candidature', min: 1, max: 50 })
  services!: string[];
  @ListOf(() => Site, { label: 'Sites' }) sites!: Site[];
}

export class Phase {
  @Identifier({ label: 'Identifiant' }) id!: string;
  @Text({ label: 'Objet', max: 500 }) objet!: string;
  @OneOf(MODES, { label: 'Mode' }) mode!: string;
}

export class Reserve {
  @Identifier({ label: 'Identifiant' }) id!: string;
  @Text({ label: 'Texte' }) texte!: string;
  @DateField({ label: 'À lever avant le' }) avantLe!: string;
}

// ── Candidature: towards J0 ─────────────────────────────────────────────────────────────────────────────────────────

@defineFact('candidature.deposee', {
  label: 'Dossier de candidature déposé',
  by: [PRESTATAIRE, CHARGE],
  correctedBy: [CHARGE],
  opens: true,
  publicFields: ['prestataire.nom', 'offre', 'services', 'referentiel'],
  summary: {
    prestataire: 'prestataire.nom',
    siren: 'prestataire.siren',
    offre: 'offre',
    referentiel: ({ referentiel }: CandidatureDeposee) => `${referentiel.nom} ${referentiel.version}`,
  },
  lookups: dossiersCites,
})
export class CandidatureDeposee {
  @Nested(() => Prestataire, { label: 'Prestataire' }) prestataire!: Prestataire;
  @Text({ label: 'Offre', hint: "Le nom de l'offre candidate", max: 200 }) offre!: string;
  @ListOf(() => Service, { label: 'Services', min: 1, max: 50, unique: 'id' }) services!: Service[];
  @Nested(() => Referentiel, { label: 'Référentiel' }) referentiel!: Referentiel;
  @ListOf(() => Piece, { label: 'Pièces' }) pieces!: Piece[];
  @ListOf(() => SousTraitant, { label: 'Sous-traitants' }) sousTraitants!: SousTraitant[];
  @Uuid({ label: 'Renouvelle le dossier', optional: true }) renouvelleDe?: string;
  @Uuids({ label: 'Composé sur les dossiers', optional: true }) composeSur?: string[];
}

/** The other dossiers that an application names: the one that it renews, those that it is built upon. */
export function dossiersCites({ renouvelleDe, composeSur = [] }: CandidatureDeposee): string[] {
  return renouvelleDe === undefined ? composeSur : [renouvelleDe, ...composeSur];
}

@defineFact('candidature.accuse-emis', {
  label: 'Accusé de réception émis',
  by: [CHARGE],
  correctedBy: [CHARGE],
  publicFields: ['reference'],
})
export class CandidatureAccuseEmis {
  @Text({ label: 'Référence', max: 200 }) reference!: string;
}

@defineFact('candidature.charge-designe', {
  label: 'Chargé de qualification désigné',
  by: [CHEF, CHARGE],
  free: true,
  summary: { charge: 'charge' },
})
export class CandidatureChargeDesigne {
  @Identifier({ label: 'Chargé de qualification', hint: "Identifiant de l'acteur, jamais son nom" }) charge!: string;
}

@defineFact('candidature.complements-demandes', {
  label: 'Compléments demandés',
  by: [CHARGE],
  correctedBy: [CHARGE],
  deadlines: [{ label: 'Compléments à fournir', field: 'avantLe', closedBy: ['candidature.complements-recus'] }],
})
export class CandidatureComplementsDemandes {
  @SomeOf(CATEGORIES, { label: 'Pièces demandées', min: 1 }) pieces!: string[];
  @DateField({ label: 'À fournir avant le' }) avantLe!: string;
  @Text({ label: 'Motif' }) motif!: string;
}

@defineFact('candidature.complements-recus', {
  label: 'Compléments reçus',
  by: [PRESTATAIRE, CHARGE],
  correctedBy: [CHARGE],
})
export class CandidatureComplementsRecus {
  @ListOf(() => Piece, { label: 'Pièces', min: 1 }) pieces!: Piece[];
}

@defineFact('candidature.completee', { label: 'Dossier de candidature complet', by: [CHARGE], correctedBy: [CHARGE] })
export class CandidatureCompletee {}

@defineFact('j0.acceptee', {
  label: 'Candidature acceptée',
  by: [CHARGE],
  correctedBy: [CHARGE],
  crosses: 'J0',
  publicFields: ['reference', 'notifieeLe'],
})
export class J0Acceptee {
  @Text({ label: 'Référence', max: 200 }) reference!: string;
  @DateField({ label: 'Notifiée le' }) notifieeLe!: string;
}

@defineFact('candidature.refusee', { label: 'Candidature refusée', by: [CHARGE], correctedBy: [CHARGE] })
export class CandidatureRefusee {
  @Texts({ label: 'Motifs', min: 1 }) motifs!: string[];
}

@defineFact('candidature.cloturee', { label: 'Candidature clôturée sans suite', by: [CHARGE], correctedBy: [CHARGE] })
export class CandidatureCloturee {
  @Text({ label: 'Motif' }) motif!: string;
}

// ── Strategy: towards J1 ────────────────────────────────────────────────────────────────────────────────────────────

@defineFact('j1.centre-choisi', {
  label: "Centre d'évaluation choisi",
  by: [PRESTATAIRE, CHARGE],
  correctedBy: [CHARGE],
  summary: { centre: 'centre' },
})
export class J1CentreChoisi {
  @Text({ label: 'Centre', hint: "Nom de l'organisation", max: 200 }) centre!: string;
  @Nested(() => Agrement, { label: 'Agrément' }) agrement!: Agrement;
}

@defineFact('j1.strategie-proposee', {
  label: "Stratégie d'évaluation proposée",
  by: [PRESTATAIRE, CENTRE, CHARGE],
  correctedBy: [CHARGE],
})
export class J1StrategieProposee {
  @Nested(() => Document, { label: 'Document' }) document!: Document;
  @Nested(() => Perimetre, { label: 'Périmètre' }) perimetre!: Perimetre;
  @ListOf(() => Phase, { label: 'Phases', min: 1, unique: 'id' }) phases!: Phase[];
}

@defineFact('j1.complements-demandes', {
  label: 'Compléments à la stratégie demandés',
  by: [CHARGE],
  correctedBy: [CHARGE],
  deadlines: [{ label: 'Stratégie à compléter', field: 'avantLe', closedBy: ['j1.strategie-proposee'] }],
})
export class J1ComplementsDemandes {
  @Texts({ label: 'Motifs', min: 1 }) motifs!: string[];
  @DateField({ label: 'À fournir avant le' }) avantLe!: string;
}

@defineFact('j1.strategie-rejetee', { label: "Stratégie d'évaluation rejetée", by: [CHARGE], correctedBy: [CHARGE] })
export class J1StrategieRejetee {
  @Texts({ label: 'Motifs', min: 1 }) motifs!: string[];
}

@defineFact('j1.strategie-validee', {
  label: "Stratégie d'évaluation validée",
  by: [CHARGE],
  correctedBy: [CHARGE],
  crosses: 'J1',
  publicFields: ['reference', 'notifieeLe'],
})
export class J1StrategieValidee {
  @Text({ label: 'Référence', max: 200 }) reference!: string;
  @DateField({ label: 'Notifiée le' }) notifieeLe!: string;
}

// ── Evaluation: towards J2 ──────────────────────────────────────────────────────────────────────────────────────────

@defineFact('j2.plan-valide', { label: "Plan d'évaluation validé", by: [CHARGE], correctedBy: [CHARGE] })
export class J2PlanValide {
  @Nested(() => Document, { label: 'Document' }) document!: Document;
}

@defineFact('j2.audit-planifie', { label: 'Audit planifié', by: [CENTRE, CHARGE], correctedBy: [CHARGE] })
export class J2AuditPlanifie {
  @Identifier({ label: 'Audit' }) audit!: string;
  @Identifier({ label: 'Phase', hint: 'Une phase de la stratégie validée' }) phase!: string;
  @DateField({ label: 'Du' }) du!: string;
  @DateField({ label: 'Au' }) au!: string;
  @Text({ label: 'Site', max: 200, optional: true }) site?: string;
}

@defineFact('j2.audit-ouvert', { label: 'Audit ouvert', by: [CENTRE, CHARGE], correctedBy: [CHARGE] })
export class J2AuditOuvert {
  @Identifier({ label: 'Audit' }) audit!: string;
}

@defineFact('j2.constat-releve', {
  label: 'Constat relevé',
  by: [CENTRE, CHARGE],
  correctedBy: [CHARGE],
  withheldFrom: CONFIDENTIEL,
  writes: ['constats'],
})
export class J2ConstatReleve {
  @Identifier({ label: 'Constat' }) constat!: string;
  @Identifier({ label: 'Audit' }) audit!: string;
  @Identifier({ label: 'Exigence', hint: "Numéro de l'exigence du référentiel, par exemple 5.1.a" }) exigence!: string;
  @OneOf(['conforme', 'non-conforme'], { label: 'Verdict' }) verdict!: 'conforme' | 'non-conforme';
  @OneOf(['mineure', 'majeure'], { label: 'Gravité', hint: "D'une non-conformité seulement", optional: true })
  gravite?: 'mineure' | 'majeure';
  @Text({ label: 'Description' }) description!: string;
}

@defineFact('j2.plan-d-action-remis', {
  label: "Plan d'action remis",
  by: [PRESTATAIRE, CHARGE],
  correctedBy: [CHARGE],
  withheldFrom: CONFIDENTIEL,
  writes: ['constats'],
  deadlines: [
    {
      label: "Plan d'action à mener",
      field: 'avantLe',
      closedBy: ['j2.ecart-leve'],
      // Once the report is accepted no finding is lifted any more: what remains to be done becomes a reserve.
      endedBy: ['j2.rapport-accepte'],
      key: { here: 'constat', closing: 'constat' },
    },
  ],
})
export class J2PlanDActionRemis {
  @Identifier({ label: 'Constat' }) constat!: string;
  @Text({ label: 'Mesures' }) mesures!: string;
  @DateField({ label: 'À mener avant le' }) avantLe!: string;
}

@defineFact('j2.ecart-leve', {
  label: 'Écart levé',
  by: [CENTRE, CHARGE],
  correctedBy: [CHARGE],
  withheldFrom: CONFIDENTIEL,
  writes: ['constats'],
})
export class J2EcartLeve {
  @Identifier({ label: 'Constat' }) constat!: string;
  @Nested(() => Document, { label: 'Preuve' }) preuve!: Document;
}

@defineFact('j2.audit-clos', { label: 'Audit clos', by: [CENTRE, CHARGE], correctedBy: [CHARGE] })
export class J2AuditClos {
  @Identifier({ label: 'Audit' }) audit!: string;
}

@defineFact('j2.rapport-remis', { label: "Rapport d'évaluation remis", by: [CENTRE, CHARGE], correctedBy: [CHARGE] })
export class J2RapportRemis {
  @Nested(() => Document, { label: 'Rapport' }) rapport!: Document;
}

@defineFact('j2.verification-demandee', {
  label: 'Vérification complémentaire demandée',
  by: [CHARGE],
  correctedBy: [CHARGE],
  deadlines: [
    {
      label: 'Vérification à remettre',
      field: 'avantLe',
      closedBy: ['j2.verification-remise', 'j2.strategie-a-amender'],
      endedBy: ['j2.rapport-accepte'],
    },
  ],
})
export class J2VerificationDemandee {
  @Text({ label: 'Objet' }) objet!: string;
  @DateField({ label: 'À remettre avant le' }) avantLe!: string;
}

@defineFact('j2.verification-remise', {
  label: 'Vérification complémentaire remise',
  by: [CENTRE, CHARGE],
  correctedBy: [CHARGE],
})
export class J2VerificationRemise {
  @Nested(() => Document, { label: 'Rapport' }) rapport!: Document;
}

@defineFact('j2.rapport-rejete', { label: "Rapport d'évaluation rejeté", by: [CHARGE], correctedBy: [CHARGE] })
export class J2RapportRejete {
  @Texts({ label: 'Motifs', min: 1 }) motifs!: string[];
}

@defineFact('j2.rapport-accepte', {
  label: "Rapport d'évaluation accepté",
  by: [CHARGE],
  correctedBy: [CHARGE],
  crosses: 'J2',
  publicFields: ['reference', 'notifieLe'],
})
export class J2RapportAccepte {
  @Text({ label: 'Référence', max: 200 }) reference!: string;
  @DateField({ label: 'Notifié le' }) notifieLe!: string;
}

@defineFact('j2.strategie-a-amender', {
  label: "Stratégie d'évaluation à amender",
  by: [CHARGE],
  correctedBy: [CHARGE],
})
export class J2StrategieAAmender {
  @Text({ label: 'Motif' }) motif!: string;
}

@defineFact('j2.evaluation-interrompue', { label: 'Évaluation interrompue', by: [CHARGE], correctedBy: [CHARGE] })
export class J2EvaluationInterrompue {
  @Text({ label: 'Motif' }) motif!: string;
}

@defineFact('j2.evaluation-reprise', { label: 'Évaluation reprise', by: [CHARGE], correctedBy: [CHARGE] })
export class J2EvaluationReprise {
  @Text({ label: 'Motif' }) motif!: string;
}

// ── Decision: J3 ────────────────────────────────────────────────────────────────────────────────────────────────────

@defineFact('j3.enquete-conclue', {
  label: 'Enquête conclue',
  by: [CHARGE],
  correctedBy: [CHARGE],
  withheldFrom: INTERNE,
  writes: ['enquete', 'faits'],
  publicFields: ['reference'],
})
export class J3EnqueteConclue {
  @OneOf(['favorable', 'defavorable'], { label: 'Résultat' }) resultat!: 'favorable' | 'defavorable';
  @Text({ label: 'Référence', max: 200 }) reference!: string;
}

@defineFact('j3.avis-rendu', {
  label: 'Avis rendu',
  by: [CHEF],
  correctedBy: [CHEF],
  withheldFrom: INTERNE,
  writes: ['avis', 'faits'],
})
export class J3AvisRendu {
  @OneOf(['qualifier', 'qualifier-avec-reserves', 'refuser'], { label: 'Sens' })
  sens!: 'qualifier' | 'qualifier-avec-reserves' | 'refuser';
  @Texts({ label: 'Motifs', min: 1 }) motifs!: string[];
}

@defineFact('j3.avis-retire', {
  label: 'Avis retiré',
  by: [CHEF],
  correctedBy: [CHEF],
  withheldFrom: INTERNE,
  writes: ['avis', 'faits'],
})
export class J3AvisRetire {
  @Text({ label: 'Motif' }) motif!: string;
}

@defineFact('j3.qualification-accordee', {
  label: 'Qualification accordée',
  by: [DIRECTEUR],
  correctedBy: [DIRECTEUR],
  crosses: 'J3',
  publicFields: ['decision', 'decideeLe', 'valideDu', 'valideJusquAu', 'services', 'conditions'],
  deadlines: [
    {
      label: 'Fin de validité de la qualification',
      field: 'valideJusquAu',
      closedBy: [],
      validity: true,
      proposes: 'suivi.qualification-expiree',
    },
    {
      label: 'Réserve à lever',
      field: 'reserves[].avantLe',
      closedBy: ['suivi.reserve-levee'],
      key: { here: 'reserves[].id', closing: 'reserve' },
    },
  ],
})
export class J3QualificationAccordee {
  @Text({ label: 'Décision', hint: 'Numéro de la décision', max: 200 }) decision!: string;
  @DateField({ label: 'Décidée le' }) decideeLe!: string;
  @DateField({ label: 'Valide du' }) valideDu!: string;
  @DateField({ label: "Valide jusqu'au", hint: 'Trois ans au plus' }) valideJusquAu!: string;
  @Identifiers({ label: 'Services qualifiés', min: 1, max: 50 }) services!: string[];
  @Texts({ label: 'Conditions' }) conditions!: string[];
  @ListOf(() => Reserve, { label: 'Réserves', unique: 'id' }) reserves!: Reserve[];
}

@defineFact('j3.qualification-refusee', {
  label: 'Qualification refusée',
  by: [DIRECTEUR],
  correctedBy: [DIRECTEUR],
  crosses: 'J3',
  publicFields: ['decision', 'decideeLe'],
})
export class J3QualificationRefusee {
  @Text({ label: 'Décision', hint: 'Numéro de la décision', max: 200 }) decision!: string;
  @DateField({ label: 'Décidée le' }) decideeLe!: string;
  @Texts({ label: 'Motifs', min: 1 }) motifs!: string[];
  @Text({ label: 'Voies de recours' }) voiesDeRecours!: string;
}

// ── Life of the qualification ───────────────────────────────────────────────────────────────────────────────────────

@defineFact('suivi.decision-notifiee', {
  label: 'Décision notifiée',
  by: [CHARGE],
  correctedBy: [CHARGE],
  publicFields: ['le', 'reference'],
})
export class SuiviDecisionNotifiee {
  @DateField({ label: 'Notifiée le' }) le!: string;
  @Text({ label: 'Référence', max: 200 }) reference!: string;
}

@defineFact('suivi.decision-publiee', {
  label: 'Décision publiée',
  by: [CHARGE],
  correctedBy: [CHARGE],
  publicFields: ['le', 'reference'],
})
export class SuiviDecisionPubliee {
  @DateField({ label: 'Publiée le' }) le!: string;
  @Text({ label: 'Référence', max: 200 }) reference!: string;
}

@defineFact('suivi.surveillance-realisee', {
  label: 'Surveillance réalisée',
  by: [CHARGE, CENTRE],
  correctedBy: [CHARGE],
})
export class SuiviSurveillanceRealisee {
  @Nested(() => Document, { label: 'Document' }) document!: Document;
  @Text({ label: 'Conclusion' }) conclusion!: string;
}

@defineFact('suivi.controle-ordonne', {
  label: 'Contrôle ordonné',
  by: [CHARGE],
  correctedBy: [CHARGE],
  withheldFrom: CONFIDENTIEL,
})
export class SuiviControleOrdonne {
  @Text({ label: 'Motif' }) motif!: string;
}

@defineFact('suivi.modification-notifiee', {
  label: 'Modification du service notifiée',
  by: [PRESTATAIRE, CHARGE],
  correctedBy: [CHARGE],
  withheldFrom: CONFIDENTIEL,
})
export class SuiviModificationNotifiee {
  @Text({ label: 'Description' }) description!: string;
  @Nested(() => Document, { label: 'Document', optional: true }) document?: Document;
}

@defineFact('suivi.perimetre-modifie', {
  label: 'Périmètre de la qualification modifié',
  by: [DIRECTEUR],
  correctedBy: [DIRECTEUR],
  decides: [DIRECTEUR],
  publicFields: ['decision', 'services'],
})
export class SuiviPerimetreModifie {
  @Text({ label: 'Décision', hint: 'Numéro de la décision', max: 200 }) decision!: string;
  @Identifiers({ label: 'Services qualifiés', min: 1, max: 50 }) services!: string[];
  @Text({ label: 'Motif' }) motif!: string;
}

@defineFact('suivi.reserve-levee', { label: 'Réserve levée', by: [CHARGE], correctedBy: [CHARGE] })
export class SuiviReserveLevee {
  @Identifier({ label: 'Réserve' }) reserve!: string;
  @Nested(() => Document, { label: 'Preuve' }) preuve!: Document;
}

@defineFact('suivi.griefs-notifies', {
  label: 'Griefs notifiés',
  by: [DIRECTEUR, CHEF],
  correctedBy: [DIRECTEUR],
  decides: [DIRECTEUR],
  withheldFrom: CONFIDENTIEL,
  writes: ['griefs'],
  deadlines: [
    {
      label: 'Observations à présenter',
      field: 'observationsAvantLe',
      closedBy: [
        'suivi.observations-presentees',
        'suivi.griefs-abandonnes',
        'suivi.qualification-suspendue',
        'suivi.qualification-abrogee',
        'suivi.qualification-retiree',
      ],
    },
  ],
})
export class SuiviGriefsNotifies {
  @Texts({ label: 'Griefs', min: 1 }) griefs!: string[];
  @DateField({ label: 'Observations avant le' }) observationsAvantLe!: string;
}

@defineFact('suivi.observations-presentees', {
  label: 'Observations présentées',
  by: [PRESTATAIRE, CHARGE],
  correctedBy: [CHARGE],
  withheldFrom: CONFIDENTIEL,
  writes: ['griefs'],
})
export class SuiviObservationsPresentees {
  @Nested(() => Document, { label: 'Document' }) document!: Document;
}

@defineFact('suivi.griefs-abandonnes', {
  label: 'Griefs abandonnés',
  by: [DIRECTEUR],
  correctedBy: [DIRECTEUR],
  decides: [DIRECTEUR],
  withheldFrom: CONFIDENTIEL,
  writes: ['griefs'],
})
export class SuiviGriefsAbandonnes {
  @Text({ label: 'Motif' }) motif!: string;
}

@defineFact('suivi.qualification-suspendue', {
  label: 'Qualification suspendue',
  by: [DIRECTEUR],
  correctedBy: [DIRECTEUR],
  decides: [DIRECTEUR],
  publicFields: ['decision'],
})
export class SuiviQualificationSuspendue {
  @Text({ label: 'Décision', hint: 'Numéro de la décision', max: 200 }) decision!: string;
  @Texts({ label: 'Motifs', min: 1 }) motifs!: string[];
}

@defineFact('suivi.suspension-levee', {
  label: 'Suspension levée',
  by: [DIRECTEUR],
  correctedBy: [DIRECTEUR],
  decides: [DIRECTEUR],
  publicFields: ['decision'],
})
export class SuiviSuspensionLevee {
  @Text({ label: 'Décision', hint: 'Numéro de la décision', max: 200 }) decision!: string;
  @Text({ label: 'Motif' }) motif!: string;
}

@defineFact('suivi.qualification-abrogee', {
  label: 'Qualification abrogée',
  by: [DIRECTEUR],
  correctedBy: [DIRECTEUR],
  decides: [DIRECTEUR],
  publicFields: ['decision', 'effetLe'],
})
export class SuiviQualificationAbrogee {
  @Text({ label: 'Décision', hint: 'Numéro de la décision', max: 200 }) decision!: string;
  @Texts({ label: 'Motifs', min: 1 }) motifs!: string[];
  @DateField({ label: 'Effet le', hint: "La qualification reste valide jusqu'à cette date" }) effetLe!: string;
}

@defineFact('suivi.qualification-retiree', {
  label: 'Qualification retirée',
  by: [DIRECTEUR],
  correctedBy: [DIRECTEUR],
  decides: [DIRECTEUR],
  publicFields: ['decision'],
})
export class SuiviQualificationRetiree {
  @Text({ label: 'Décision', hint: 'Numéro de la décision', max: 200 }) decision!: string;
  @Texts({ label: 'Motifs', min: 1 }) motifs!: string[];
}

@defineFact('suivi.renonciation', {
  label: 'Renonciation à la qualification',
  by: [PRESTATAIRE, CHARGE],
  correctedBy: [CHARGE],
  abandons: true,
})
export class SuiviRenonciation {
  @Text({ label: 'Motif' }) motif!: string;
}

@defineFact('suivi.renouvellement-demande', {
  label: 'Renouvellement demandé',
  by: [PRESTATAIRE, CHARGE],
  correctedBy: [CHARGE],
  lookups: ({ dossier }: SuiviRenouvellementDemande) => [dossier],
})
export class SuiviRenouvellementDemande {
  @Uuid({ label: 'Nouveau dossier' }) dossier!: string;
}

@defineFact('suivi.qualification-expiree', {
  label: 'Qualification expirée',
  by: [HORLOGE],
  correctedBy: [DIRECTEUR],
  lapses: true,
})
export class SuiviQualificationExpiree {}

// ── At any time ─────────────────────────────────────────────────────────────────────────────────────────────────────

@defineFact('dossier.retire', {
  label: 'Dossier retiré par le demandeur',
  by: [PRESTATAIRE, CHARGE],
  correctedBy: [CHARGE],
  abandons: true,
})
export class DossierRetire {
  @Text({ label: 'Motif' }) motif!: string;
}

@defineFact('dossier.cible-annoncee', {
  label: 'Cible annoncée',
  by: [PRESTATAIRE, CHARGE],
  free: true,
  announces: { jalon: 'jalon', periode: 'periode' },
  publicFields: ['jalon', 'periode', 'source'],
})
export class DossierCibleAnnoncee {
  @OneOf(JALONS, { label: 'Jalon' }) jalon!: string;
  @Checked({
    label: 'Période',
    hint: '2026, 2026-T2, 2026-S1, 2026-06 ou une date',
    accepts: estPeriode,
    message: 'Une période est attendue : 2026, 2026-T2, 2026-S1, 2026-06 ou une date.',
    schema: { pattern: PERIODE.source },
  })
  periode!: string;
  @Text({ label: 'Source', hint: "Où la cible a été annoncée : communiqué, adresse d'une page", max: 1000 })
  source!: string;
}

@defineFact('dossier.note-ajoutee', {
  label: 'Note ajoutée',
  by: [CHARGE, CHEF, DIRECTEUR],
  free: true,
  erasable: true,
  withheldFrom: INTERNE,
  writes: ['faits'],
})
export class DossierNoteAjoutee {
  @Text({ label: 'Texte' }) texte!: string;
}
