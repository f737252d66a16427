import { Button } from '@codegouvfr/react-dsfr/Button';
import { Input } from '@codegouvfr/react-dsfr/Input';
import { useInfiniteQuery } from '@tanstack/react-query';
import { useSearchParams } from 'react-router';
import { Loaded } from './loaded.tsx';
import { type Access, pageOfAccesses } from './reading.ts';
import { useSeen } from './seen.ts';
import { DataTable } from './table.tsx';
import { addDays, counted, momentInWords, today } from './words.ts';

/** So far back the list begins, unless its address says otherwise. */
const DAYS = 30;

/** Accès: who was shown what is confidential of a dossier, who was denied it, who took it away. For an auditeur. */
export function Accesses() {
  const { dossier } = useSeen();
  const [query, change] = useSearchParams();
  const since = query.get('acces-depuis') ?? addDays(today(), -DAYS);
  const pages = useInfiniteQuery({
    queryKey: ['dossier', dossier.id, 'accesses', since],
    initialPageParam: undefined as string | undefined,
    queryFn: ({ pageParam }) => pageOfAccesses({ dossier: dossier.id, from: since, cursor: pageParam }),
    getNextPageParam: ({ cursor }) => cursor,
  });
  return (
    <>
      <h3 className="fr-mt-4w">Accès à ce dossier</h3>
      <div className="fr-grid-row ecran">
        <Input
          className="fr-col-12 fr-col-md-3 fr-mb-2w"
          label="À partir du"
          nativeInputProps={{
            type: 'date',
            value: since,
            onChange: ({ target: { value } }) =>
              value && change({ 'acces-depuis': value }, { replace: true, preventScrollReset: true }),
          }}
        />
      </div>
      <Loaded query={pages}>
        {({ pages: read }) => (
          <Listed
            accesses={read.flatMap(({ items }) => items)}
            more={pages.hasNextPage ? () => void pages.fetchNextPage() : undefined}
            busy={pages.isFetchingNextPage}
          />
        )}
      </Loaded>
    </>
  );
}

type ListedProps = { accesses: readonly Access[]; more: (() => void) | undefined; busy: boolean };

function Listed({ accesses, more, busy }: ListedProps) {
  const { workflow } = useSeen();
  const columns = [
    { label: 'Quand', cell: ({ recordedAt }: Access) => momentInWords(recordedAt) },
    { label: 'Quoi', names: true as const, cell: ({ label }: Access) => label },
    {
      label: 'Qui',
      cell: ({ actor: { nom, sub, role, org } }: Access) =>
        [workflow.roles[role]?.label ?? role, org, nom ?? sub].filter(Boolean).join(' · '),
    },
    { label: 'De quoi', cell: detailOf },
  ];
  return (
    <>
      <p role="status">
        {accesses.length === 0 && !more
          ? 'Personne, depuis ce jour, n’a lu ce qui est confidentiel de ce dossier, ni ne se l’est vu refuser.'
          : `${counted(accesses.length, 'accès', 'accès')}${more ? ', et d’autres ensuite' : ''}.`}
      </p>
      {accesses.length > 0 && (
        <DataTable caption="Accès à ce dossier" hidden columns={columns} rows={accesses} keyOf={({ id }) => id} />
      )}
      {more && (
        <Button priority="secondary" disabled={busy} onClick={more}>
          {busy ? 'Lecture…' : 'Montrer la suite'}
        </Button>
      )}
    </>
  );
}

/** Which facts were shown, or what refused, and by which operation. */
function detailOf({ data }: Access) {
  const { operation, revisions, revision, constats, echeances, problem } = data as Record<string, unknown>;
  const said = [
    revisions !== undefined && `Révisions ${revisions}`,
    revision !== undefined && `Jusqu’à la révision ${revision}`,
    Array.isArray(constats) && counted(constats.length, 'constat'),
    Array.isArray(echeances) && counted(echeances.length, 'échéance'),
    problem !== undefined && `Refus : ${problem}`,
  ].filter(Boolean);
  return (
    <>
      {said.map((part) => (
        <span key={String(part)}>
          {part}
          <br />
        </span>
      ))}
      <code>{String(operation)}</code>
    </>
  );
}
