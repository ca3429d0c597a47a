import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { randomUUID } from 'node:crypto'
import pg from '/work/main/node_modules/pg/lib/index.js'
import { startPostgres } from '/work/main/local/postgres/cluster.ts'
import { migrate } from '/work/main/database/migrate.ts'
import { startNeon } from '/work/main/test/bench/support/neon.ts'
import { bundle } from '/work/main/test/bench/support/bundle.ts'
import { startWorkerd } from '/work/main/test/bench/support/workerd.ts'
import { createLoad } from '/work/main/test/bench/support/load.ts'
import { percentile, compare } from '/work/main/test/bench/support/statistics.ts'
import { mintKey } from '/work/main/functions/http/api-key.ts'
import { importHmacKey } from '/work/main/functions/http/encoding.ts'
const dir = await mkdtemp('/tmp/mec-bench-'); await chmod(dir, 0o755)
const P = await startPostgres({ dataDir: dir })
await migrate({ connectionString: P.url, workerPassword: 'worker' })
const wurl = new URL(P.url); wurl.username='mec_worker'; wurl.password='worker'
const neon = await startNeon(P.port)
const [mec, one, ins] = await Promise.all(['functions/worker.ts','test/bench/baseline/select-one.ts','test/bench/baseline/insert-update.ts'].map((s) => bundle(s, dir)))
const b = { DATABASE_URL: wurl.href, NEON_FETCH_ENDPOINT: neon.url }
const pepper = randomUUID()+randomUUID()
const [wm, w1, w2] = await Promise.all([startWorkerd(mec, {...b, JWT_SECRET: 'x'.repeat(32), KEY_PEPPER: pepper}), startWorkerd(one, b), startWorkerd(ins, b)])
const key = await mintKey('default', await importHmacKey(pepper), (n) => crypto.getRandomValues(new Uint8Array(n)))
const c = new pg.Client(P.url); await c.connect()
await c.query(`insert into api_keys (namespace_id,key_name,key_hash,key_prefix,scopes) values ('default','b',decode($1,'hex'),$2,'{admin}')`, [key.hash, key.prefix])
await c.query(`create table bench_ledger (like consumption_ledger including all); create table bench_counter (account_id uuid primary key, used numeric not null) with (fillfactor=70); grant select,insert,update on bench_ledger, bench_counter to mec_worker`)
await c.query(`insert into bench_counter select ('00000000-0000-4000-8000-'||lpad(to_hex(i),12,'0'))::uuid, 0 from generate_series(0,63) i`)
const auth = { authorization: `Bearer ${key.secret}` }
for (let i=0;i<64;i++) {
  const r = await fetch(wm.url+'v1/entitlements', {method:'POST', headers:{...auth,'content-type':'application/json'}, body: JSON.stringify({idempotency_key:'g'+i, account_id:'org_'+i, resource:'benchmark_runs', limit_kind:'cumulative', quantity: 1e9, window:'calendar_month'})})
  const t = await r.text(); if (i===0) console.log(r.status, t)
}
const load = createLoad()
const uuid = (n:number) => '00000000-0000-4000-8000-'+(n%64).toString(16).padStart(12,'0')
const T = {
 check: { url: wm.url+'v1/check', headers: auth, status: 200, body: (n:number)=>JSON.stringify({account_id:'org_'+n%64, resource:'benchmark_runs', quantity:1, max_staleness_ms:0})},
 one: { url: w1.url, headers: auth, status: 200, body: (n:number)=>JSON.stringify({account_id:'org_'+n%64, resource:'benchmark_runs', quantity:1, max_staleness_ms:0})},
 consume: { url: wm.url+'v1/consume', headers: auth, status: 201, body: (n:number)=>JSON.stringify({idempotency_key:'k'+n, account_id:'org_'+n%64, resource:'benchmark_runs', quantity:1})},
 ins: { url: w2.url, headers: auth, status: 201, body: (n:number)=>JSON.stringify({entry_id: randomUUID(), account_id: uuid(n), quantity:1})},
}

import { readFileSync, readdirSync } from 'node:fs'
const tick=100
function cpu(){ // µs by group
  const g:Record<string,number>={}
  for (const pid of readdirSync('/proc').filter(x=>/^\d+$/.test(x))) { try {
    const st=readFileSync(`/proc/${pid}/stat`,'utf8'); const name=st.slice(st.indexOf('(')+1, st.lastIndexOf(')')); const f=st.slice(st.lastIndexOf(')')+2).split(' '); const ppid=Number(f[1])
    const parent = ppid
    let grp=''
    if (name==='workerd' && ppid===process.pid) grp='workerd'
    else if (Number(pid)===process.pid) { for (const t of readdirSync(`/proc/${pid}/task`)) { const sc=readFileSync(`/proc/${pid}/task/${t}/schedstat`,'utf8').split(' '); const comm=readFileSync(`/proc/${pid}/task/${t}/comm`,'utf8').trim(); const k=t===pid?'client':'node:'+comm; g[k]=(g[k]??0)+Number(sc[0])/1000 } continue }
    else if (name==='postgres' && (ppid===P.pid||Number(pid)===P.pid)) { const cl=readFileSync(`/proc/${pid}/cmdline`,'utf8').split('\0').join(' '); grp = /mec_worker/.test(cl)?'pg:backend':'pg:other' }
    else continue
    let n=0; for (const t of readdirSync(`/proc/${pid}/task`)) n+=Number(readFileSync(`/proc/${pid}/task/${t}/schedstat`,'utf8').split(' ')[0])/1000
    g[grp]=(g[grp]??0)+n
  } catch {} }
  return g
}
import { execFileSync } from 'node:child_process'
const total=()=>{const f=readFileSync('/proc/stat','utf8').split('\n')[0].split(/ +/).slice(1).map(Number);return f}
async function prof(name:string,t:any){
  await load.round(t,{requests:400,ms:4000})
  const c0=cpu(), s0=total(), t0=performance.now(); const r=await load.round(t,{requests:1500,ms:8000}); const c1=cpu(), s1=total(); const n=r.latencies.length
  const o=Object.fromEntries(Object.keys(c1).map(k=>[k,Math.round((c1[k]-(c0[k]??0))/n)]).filter(([k,v])=>v>3))
  const d=s1.map((x,i)=>x-s0[i]); const idle=d[3]+d[4], all=d.reduce((a,b)=>a+b,0)
  console.log(name.padEnd(10),'p50',percentile(r.latencies,.5).toFixed(2),'rps',r.requestsPerSecond.toFixed(0),'cpu µs/req',JSON.stringify(o),'sum',Object.values(o).reduce((a,b)=>a+b,0),'wall/req',Math.round(1e6/r.requestsPerSecond),'machine busy',(100-100*idle/all).toFixed(0)+'%')
}
const reps=Number(process.argv[2]??2)
const bad={...T.check, status:401, headers:{authorization:'Bearer '+key.secret.slice(0,-1)+'z'}}
const bad400={...T.check, status:400, body:()=>JSON.stringify({account_id:'org_1',resource:'benchmark_runs',quantity:-1})}
for(let i=0;i<reps;i++){ for (const [n,t] of Object.entries({...T, bad401:bad, bad400})) await prof(n,t) }
if (process.argv[3]==='hold') { console.log(JSON.stringify({wm:wm.url,w1:w1.url,w2:w2.url,key:key.secret,neon:neon.url,owner:P.url,worker:wurl.href,pid:process.pid})); await new Promise(()=>{setInterval(()=>{},1e6)}) }
load.close(); await c.end(); await Promise.all([wm.stop(),w1.stop(),w2.stop()]); await neon.stop(); await P.stop(); await rm(dir,{recursive:true})
