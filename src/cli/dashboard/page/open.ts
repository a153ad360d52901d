/** Runs once, in the answer to the private file: keeps the key where only this page's scripts see it, and goes on to the page. */
import { KEY } from './client.ts';

const given = document.querySelector<HTMLMetaElement>(`meta[name="${KEY}"]`)?.content ?? '';
sessionStorage.setItem(KEY, given);
location.replace('/');
