import { Alert } from '@codegouvfr/react-dsfr/Alert';
import { Button } from '@codegouvfr/react-dsfr/Button';
import { useQuery } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { Accesses } from './accesses.tsx';
import { api, ask } from './client.ts';
import { Digest } from './content.tsx';
import { save } from './download.ts';
import { chainOf, isSigned, noteOf, rootOf } from './inclusion.ts';
import { Loaded, ProblemAlert, useAct } from './loaded.tsx';
import { factsAfter, type HistoryItem } from './reading.ts';
import { useSeen } from './seen.ts';
import { useSession } from './session.ts';
import { DataTable } from './table.tsx';
import { counted, hourOf, momentInWords } from './words.ts';

/** Preuve: what this browser verifies now of the dossier, the bundle to take away, and the command that verifies all of it. */
export function Component() {
  const { dossier } = useSeen();
  const session = useSession();
  const verified = useQuery({
    queryKey: ['dossier', dossier.id, 'proof'],
    queryFn: () => verify(dossier.id),
  });
  return (
    <>
      <h2>Preuve</h2>
      <p>
        Chaque fait porte l’empreinte du précédent, et prend place dans un arbre dont la racine est signée. Ce que ce
        navigateur peut vérifier l’est ici, sans croire le serveur sur parole.
      </p>
      <Loaded query={verified}>{(found) => <Verified {...found} />}</Loaded>
      <Bundle id={dossier.id} />
      {session?.roles.includes('auditeur') && <Accesses />}
    </>
  );
}

type Result = {
  at: Date;
  history: HistoryItem[];
  chain: ReturnType<typeof chainOf>;
  /** Null when no fact of the dossier may be shown. */
  inclusion: { revision: number; leafIndex: number; treeSize: number; leads: boolean } | null;
  origin: string;
  root: string;
  signed: boolean | null;
};

async function verify(id: string): Promise<Result> {
  const history = await factsAfter(id, -1);
  const last = history.findLast((item) => !('withheld' in item));
  const { keys } = (await ask(api.GET('/api/keys'))) as unknown as { keys: JsonWebKey[] };
  const chain = chainOf(history);
  const at = new Date();
  if (!last || 'withheld' in last) {
    const text = (await ask(api.GET('/api/checkpoints/latest', { parseAs: 'text' }))) as string;
    const note = noteOf(text);
    return {
      at,
      history,
      chain,
      inclusion: null,
      origin: note.origin,
      root: note.root,
      signed: await isSigned(note, keys),
    };
  }
  const proof = await ask(api.GET('/api/proofs/inclusion', { params: { query: { event: last.id } } }));
  const note = noteOf(proof.checkpoint);
  const root = rootOf(last.meta.hash, proof.leafIndex, proof.treeSize, proof.hashes);
  const leads = root === note.root && proof.treeSize === note.size;
  const inclusion = { revision: last.revision, leafIndex: proof.leafIndex, treeSize: proof.treeSize, leads };
  return { at, history, chain, inclusion, origin: note.origin, root: note.root, signed: await isSigned(note, keys) };
}

function Verified({ at, history, chain, inclusion, origin, root, signed }: Result) {
  const rows: { what: string; well: boolean | null; how: ReactNode }[] = [
    {
      what: 'Chaînage des faits',
      well: chain.broken === null,
      how:
        chain.broken === null
          ? `${counted(history.length, 'fait')} ; chacun nomme l’empreinte du précédent.`
          : `La révision ${chain.broken} ne nomme pas l’empreinte de celle qui la précède.`,
    },
    ...(inclusion
      ? [
          {
            what: 'Place dans le journal entier',
            well: inclusion.leads,
            how: inclusion.leads
              ? `La révision ${inclusion.revision} est la feuille ${inclusion.leafIndex} de ${inclusion.treeSize} ; son chemin mène à la racine signée.`
              : `Le chemin de la révision ${inclusion.revision} ne mène pas à la racine signée.`,
          },
        ]
      : []),
    {
      what: 'Signature du point de contrôle',
      well: signed,
      how: (
        <>
          {signed === null
            ? 'Ce navigateur ne connaît pas Ed25519 : la ligne de commande la vérifie.'
            : signed
              ? `Une clé publiée de ${origin} l’a signé.`
              : `Aucune clé publiée de ${origin} ne l’a signé.`}{' '}
          Racine : <code className="coupe">{root}</code>
        </>
      ),
    },
  ];
  const bad = rows.some(({ well }) => well === false);
  return (
    <>
      <Alert
        severity={bad ? 'error' : 'success'}
        role="status"
        small
        description={
          bad
            ? 'Ce qui est montré ici n’est pas prouvé : gardez cette page et prévenez l’exploitant.'
            : `Vérifié par ce navigateur à ${hourOf(at)}.`
        }
      />
      <DataTable
        caption="Ce qui est vérifié"
        hidden
        columns={[
          { label: 'Quoi', names: true, cell: ({ what }) => what },
          { label: 'Résultat', cell: ({ well }) => (well === null ? 'Non vérifié ici' : well ? 'Vérifié' : 'Faux') },
          { label: 'Comment', cell: ({ how }) => how },
        ]}
        rows={rows}
        keyOf={({ what }) => what}
      />
      <details>
        <summary>Empreintes des faits</summary>
        <DataTable
          caption="Empreintes des faits"
          hidden
          columns={[
            { label: 'Révision', number: true, cell: ({ revision }) => revision },
            { label: 'Fait', names: true, cell: (item) => ('withheld' in item ? 'Non montré' : item.type) },
            { label: 'Enregistré le', cell: (item) => ('withheld' in item ? '' : momentInWords(item.recordedAt)) },
            { label: 'Empreinte', cell: (item) => <Digest hex={'withheld' in item ? item.hash : item.meta.hash} /> },
          ]}
          rows={history}
          keyOf={({ revision }) => String(revision)}
        />
      </details>
    </>
  );
}

/** The dossier to take away, and how to verify it without this server. */
function Bundle({ id }: { id: string }) {
  const { act, running, fault } = useAct();
  const file = `dossier-${id}.bundle.json`;
  const download = () =>
    act(async () => {
      const request = api.GET('/api/dossiers/{id}/bundle', { params: { path: { id } }, parseAs: 'blob' });
      save(file, (await ask(request)) as unknown as Blob, 'application/vnd.jalon.bundle+json');
    });
  return (
    <>
      <h3 className="fr-mt-4w">À vérifier sans ce serveur</h3>
      <p>
        Un fichier scellé contient le dossier, sa procédure, les preuves et les clés. Cette commande le vérifie et le
        rejoue sans réseau ; le moindre octet changé s’y voit.
      </p>
      <p>
        <code className="coupe">npx jalon verify {file}</code>
      </p>
      <Button iconId="fr-icon-download-line" disabled={running} onClick={() => void download()}>
        {running ? 'Préparation…' : 'Emporter le dossier'}
      </Button>
      {fault && <ProblemAlert fault={fault} />}
    </>
  );
}
