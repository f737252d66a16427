import { searchable } from '@jalon/flow';

/** The LIKE pattern (escape character `\\`) of what contains a text, as texts are searched. */
export function containing(text: string): string {
  return `%${searchable(text).replace(/[\\%_]/g, '\\$&')}%`;
}
