import {
  addDays,
  BEFORE,
  Catalogue,
  defineFact,
  defineWorkflow,
  factsOf,
  type Happening,
  OneOf,
  type PublishedWorkflow,
  Text,
  Uuid,
  type WorkflowSpec,
} from '@jalon/flow';
import { and, assign, setup } from 'xstate';

/**
 * A small procedure with one of everything that the engine treats in its own way: an opening that names another dossier,
 * a milestone that may be met twice, a map, a fact withheld from a party, a note that can be erased.
 */
const DEMANDEUR = 'demandeur';
const AGENT = 'agent';
const CHEF = 'chef';

@defineFact('demande.deposee', {
  label: 'Demande déposée',
  by: [DEMANDEUR, AGENT],
  opens: true,
  summary: { demandeur: 'demandeur' },
  lookups: ({ liee }: DemandeDeposee) => (liee === undefined ? [] : [liee]),
})
class DemandeDeposee {
  @Text({ label: 'Demandeur' }) demandeur!: string;
  @Text({ label: 'Objet' }) objet!: string;
  @Uuid({ label: 'Demande liée', optional: true }) liee?: string;
}

@defineFact('demande.piece-recue', { label: 'Pièce reçue', by: [DEMANDEUR, AGENT] })
class DemandePieceRecue {
  @Text({ label: 'Pièce' }) piece!: string;
}

@defineFact('demande.avis-rendu', {
  label: 'Avis rendu',
  by: [CHEF],
  withheldFrom: [DEMANDEUR],
  writes: ['avis'],
})
class DemandeAvisRendu {
  @OneOf(['favorable', 'defavorable'], { label: 'Sens' }) sens!: string;
}

@defineFact('demande.acceptee', { label: 'Demande acceptée', by: [CHEF], crosses: 'J0' })
class DemandeAcceptee {}

@defineFact('suivi.rouverte', { label: 'Demande rouverte', by: [AGENT] })
class SuiviRouverte {}

@defineFact('dossier.note-ajoutee', {
  label: 'Note ajoutée',
  by: [AGENT],
  free: true,
  erasable: true,
  withheldFrom: [DEMANDEUR],
})
class DossierNoteAjoutee {
  @Text({ label: 'Texte' }) texte!: string;
}

type Context = {
  faits: number;
  liee: string | null;
  pieces: Record<string, { rang: number; le: string; avant: string }>;
  avis: string | null;
};

const remember = <D>(write: (context: Context, fact: Happening<D>) => Partial<Context>) =>
  assign<Context, Happening, undefined, Happening, never>(({ context, event }) => ({
    ...write(context, event as Happening<D>),
    faits: context.faits + 1,
  }));

const machine = setup({
  types: {} as { context: Context; events: Happening },
  guards: {
    'demande-liee-connue': ({ event }) => Object.values(event.lookups).every((other) => other !== null),
    'une-piece': ({ context }) => Object.keys(context.pieces).length > 0,
    'avis-favorable': ({ context }) => context.avis === 'favorable',
  },
  actions: {
    deposer: remember<DemandeDeposee>((_, { data }) => ({ liee: data.liee ?? null })),
    recevoir: remember<DemandePieceRecue>(({ pieces }, { data, effectiveAt }) => ({
      pieces: {
        ...pieces,
        [data.piece]: { rang: Object.keys(pieces).length, le: effectiveAt, avant: addDays(effectiveAt, 30) },
      },
    })),
    aviser: remember<DemandeAvisRendu>((_, { data }) => ({ avis: data.sens })),
    compter: remember(() => ({})),
  },
}).createMachine({
  id: 'demande',
  context: { faits: 0, liee: null, pieces: {}, avis: null },
  initial: BEFORE,
  on: { 'dossier.note-ajoutee': { actions: 'compter' } },
  states: {
    [BEFORE]: {
      on: { 'demande.deposee': { target: 'demande', guard: 'demande-liee-connue', actions: 'deposer' } },
    },
    demande: {
      meta: { jalon: 'J0' },
      initial: 'deposee',
      states: {
        deposee: {
          meta: { label: 'Demande déposée' },
          on: {
            'demande.piece-recue': { actions: 'recevoir' },
            'demande.avis-rendu': { actions: 'aviser' },
            'demande.acceptee': {
              target: '#suivi',
              guard: and(['une-piece', 'avis-favorable']),
              actions: 'compter',
            },
          },
        },
      },
    },
    suivi: {
      id: 'suivi',
      meta: { jalon: 'suivi', label: 'Demande acceptée' },
      on: { 'suivi.rouverte': { target: 'demande', actions: 'compter' } },
    },
  },
});

const SPEC: Omit<WorkflowSpec, 'version' | 'machine'> = {
  name: 'demande',
  label: 'Demande',
  facts: factsOf({
    DemandeDeposee,
    DemandePieceRecue,
    DemandeAvisRendu,
    DemandeAcceptee,
    SuiviRouverte,
    DossierNoteAjoutee,
  }),
  reasons: {
    'demande-liee-connue': {
      asks: 'La demande liée doit exister.',
      holds: 'La demande liée existe.',
      fails: (_: Context, { data: { liee } }: Happening<DemandeDeposee>) => `La demande liée ${liee} n'existe pas.`,
      needs: ['lookup'],
      field: 'liee',
    },
    'une-piece': {
      asks: 'Une pièce au moins doit avoir été reçue.',
      holds: 'Une pièce au moins a été reçue.',
      fails: () => "Aucune pièce n'a été reçue.",
    },
    'avis-favorable': {
      asks: "L'avis doit être favorable.",
      holds: "L'avis est favorable.",
      fails: ({ avis }: Context) => (avis === null ? "Aucun avis n'a été rendu." : `L'avis est ${avis}.`),
      reads: ['avis'],
    },
  },
  expected: {
    'demande.deposee': [
      {
        facts: ['demande.piece-recue'],
        of: [DEMANDEUR],
        sentence: 'Une pièce est à fournir.',
        while: ({ pieces }: Context) => Object.keys(pieces).length === 0,
      },
      {
        facts: ['demande.avis-rendu'],
        of: [CHEF],
        sentence: "L'avis est à rendre.",
        while: ({ avis }: Context) => avis === null,
        reads: ['avis'],
      },
      { facts: ['demande.acceptee'], of: [CHEF], sentence: 'La demande est à accepter.' },
    ],
    suivi: [{ facts: ['suivi.rouverte'], of: [AGENT], sentence: 'La demande est à rouvrir.' }],
  },
  roles: {
    [DEMANDEUR]: { label: 'Demandeur', sees: 'own' },
    [AGENT]: { label: 'Agent', sees: 'all', recordsForOthers: true },
    [CHEF]: { label: 'Chef', sees: 'all' },
    passant: { label: 'Passant', sees: 'none', subscribes: true },
    concierge: { label: 'Concierge', sees: 'none' },
  },
  parties: { [DEMANDEUR]: ['demandeur'] },
  versionChangedBy: [AGENT],
  keyed: ['pieces'],
  exposes: ({ liee }: Context) => ({ liee }),
};

/** The procedure as this build publishes it. */
export const demande: PublishedWorkflow = {
  ...defineWorkflow({ ...SPEC, version: 1, machine }),
  hash: 'd'.repeat(64),
};

/** Its next version, which accepts a demand on two pieces only. */
const demandeV2: PublishedWorkflow = {
  ...defineWorkflow({
    ...SPEC,
    version: 2,
    machine: machine.provide({
      guards: { 'une-piece': ({ context }) => Object.keys((context as Context).pieces).length > 1 },
    }),
    reasons: {
      ...SPEC.reasons,
      'une-piece': {
        asks: 'Deux pièces au moins doivent avoir été reçues.',
        holds: 'Deux pièces au moins ont été reçues.',
        fails: ({ pieces }: Context) => ({
          message: `Deux pièces sont attendues, et ${Object.keys(pieces).length} a été reçue.`,
          items: Object.keys(pieces).map((id) => ({ kind: 'piece', id, label: id })),
        }),
      },
    },
  }),
  hash: '2'.repeat(64),
};

/** A catalogue of this procedure alone. */
export const DEMANDES = new Catalogue([demande]);

/** One of both versions. */
export const DEMANDES_V2 = new Catalogue([demande, demandeV2]);
