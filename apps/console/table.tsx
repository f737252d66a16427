import { type ReactNode, useRef } from 'react';
import { Link } from 'react-router';
import { useOverflow } from './scrolling.tsx';

export type Column<T> = {
  label: string;
  cell: (row: T) => ReactNode;
  /** Where a click on the heading leads, and how the column is sorted now. */
  sort?: { to: string; now: 'ascending' | 'descending' | 'none' };
  /** The cell that names the row. */
  names?: true;
  number?: true;
};

/** A table in the State's design: every row has a heading, sortable columns say how they are sorted. */
export function DataTable<T>({
  caption,
  hidden = false,
  columns,
  rows,
  keyOf,
}: {
  caption: string;
  /** The caption is for screen readers only, where a heading beside the table says the same. */
  hidden?: boolean;
  columns: readonly Column<T>[];
  rows: readonly T[];
  keyOf: (row: T) => string;
}) {
  const frame = useRef<HTMLDivElement>(null);
  const overflows = useOverflow(frame);
  return (
    <div className={`fr-table fr-table--sm${hidden ? ' fr-table--no-caption' : ''}`}>
      <div className="fr-table__wrapper">
        <div
          ref={frame}
          className="fr-table__container"
          {...(overflows ? { tabIndex: 0, role: 'region', 'aria-label': `${caption}, tableau qui défile` } : {})}
        >
          <div className="fr-table__content">
            <table className="tableau">
              <caption>{caption}</caption>
              <thead>
                <tr>
                  {columns.map(({ label, sort, number }) => (
                    <th
                      key={label}
                      scope="col"
                      className={number ? 'nombre' : undefined}
                      {...(sort ? { 'aria-sort': sort.now } : {})}
                    >
                      {sort ? (
                        <Link to={sort.to} className={`tri tri--${sort.now}`} replace preventScrollReset>
                          {label}
                        </Link>
                      ) : (
                        label
                      )}
                    </th>
                  ))}
                </tr>
              </thead>
              <tbody>
                {rows.map((row) => (
                  <tr key={keyOf(row)}>
                    {columns.map(({ label, cell, names, number }) =>
                      names ? (
                        <th key={label} scope="row">
                          {cell(row)}
                        </th>
                      ) : (
                        <td key={label} className={number ? 'nombre' : undefined}>
                          {cell(row)}
                        </td>
                      ),
                    )}
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
        </div>
      </div>
    </div>
  );
}
