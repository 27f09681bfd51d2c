import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import { type Express } from 'express';
import request from 'supertest';
import { temporaryFolder } from '../../tools/services/service.ts';
import { ACTIVITIES, createTestApi, expectProblem, getAsAdmin, post } from './support.ts';

const PAGE = '<!doctype html><title>The dashboard</title>';
const SCRIPT = 'console.log("the dashboard");'.repeat(100);

describe('The dashboard', () => {
  let folder: string;
  let app: Express;

  beforeAll(async () => {
    folder = await temporaryFolder('dashboard');
    mkdirSync(path.join(folder, 'assets'));
    writeFileSync(path.join(folder, 'index.html'), PAGE);
    writeFileSync(path.join(folder, 'assets', 'index-abc.js'), SCRIPT);
    writeFileSync(path.join(folder, 'assets', 'index-abc.js.br'), brotliCompressSync(SCRIPT));
    writeFileSync(path.join(folder, 'assets', 'index-abc.js.gz'), gzipSync(SCRIPT));
    ({ app } = createTestApi({}, { dashboardFolder: folder }));
  });

  it('is the page at /, without a key, and asked for each time', async () => {
    const response = await request(app).get('/');
    expect([response.status, response.text]).toEqual([200, PAGE]);
    expect(response.headers).toMatchObject({
      'content-type': 'text/html;charset=utf-8',
      'cache-control': 'no-cache',
    });
  });

  it('may load nothing from elsewhere, run nothing that stands in the page, and be framed by nobody', async () => {
    const { headers } = await request(app).get('/');
    expect(headers['content-security-policy']?.split(';').sort()).toEqual([
      "base-uri 'none'",
      "connect-src 'self'",
      "default-src 'none'",
      "form-action 'none'",
      "frame-ancestors 'none'",
      "img-src 'self' data:",
      "script-src 'self'",
      "style-src 'self'",
    ]);
    expect(headers).toMatchObject({
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
      'x-frame-options': 'SAMEORIGIN',
    });
  });

  it.each([
    ['br', 'gzip, deflate, br'],
    ['gzip', 'gzip'],
    [undefined, 'identity'],
  ])('has its assets compressed already: %s', async (encoding, accepted) => {
    const response = await request(app).get('/assets/index-abc.js').set('Accept-Encoding', accepted);
    expect([response.status, response.text]).toEqual([200, SCRIPT]);
    expect(response.get('Content-Encoding')).toBe(encoding);
    expect(response.get('Vary')).toContain('Accept-Encoding');
    expect(response.get('Cache-Control')).toBe('public, max-age=31536000, immutable');
    expect(response.get('Content-Type')).toBe('text/javascript');
  });

  it('answers HEAD as GET, but for the body', async () => {
    const response = await request(app).head('/');
    expect([response.status, response.text]).toEqual([200, undefined]);
    expect(response.get('Content-Length')).toBe(String(PAGE.length));
  });

  it.each(['bytes=0-4', 'bytes=9-2', 'bytes=x-y', 'bytes=99999999-'])(
    'is whole for %s too',
    async (range) => {
      const response = await request(app).get('/').set('Range', range);
      expect([response.status, response.text]).toEqual([200, PAGE]);
    },
  );

  it.each(['/assets/none.js', '/nowhere', '/assets/', '/../package.json', '/%2e%2e%2fpackage.json'])(
    'has nothing at %s',
    async (url) => {
      expectProblem(await request(app).get(url), 'not-found');
    },
  );

  it.each(['post', 'put', 'delete'] as const)('is for reading only: %s', async (method) => {
    expectProblem(await request(app)[method]('/'), 'not-found');
  });

  it('takes no path from the API', async () => {
    expect((await post(app)).status).toBe(202);
    const read = await getAsAdmin(app, ACTIVITIES);
    expect(read.body).toHaveProperty('activities');
    expect(read.get('Content-Security-Policy')).toContain("default-src 'self'");
    expect((await request(app).get('/health')).body).toEqual({ status: 'ok' });
  });

  it('says how to build it where it is not built', async () => {
    const { detail } = expectProblem(await request(createTestApi().app).get('/'), 'not-found');
    expect(detail).toContain('npm run build');
  });
});
