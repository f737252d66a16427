// Floor F1: node:http and the same SQLite driver, one prepared insert, synchronous=FULL, no validation.
import { createServer } from 'node:http';
import Database from 'better-sqlite3';

const db = new Database(process.argv[2]);
db.pragma('journal_mode = WAL');
db.pragma('synchronous = FULL');
db.exec('create table events (position integer primary key, body text not null) strict');
const insert = db.prepare('insert into events (body) values (?)');

const server = createServer((request, response) => {
  let body = '';
  request.setEncoding('utf8');
  request.on('data', (part) => {
    body += part;
  });
  request.on('end', () => {
    const { lastInsertRowid } = insert.run(body);
    response.writeHead(201, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ position: Number(lastInsertRowid) }));
  });
});
server.listen(0, '127.0.0.1', () => process.send?.({ port: server.address().port }));
