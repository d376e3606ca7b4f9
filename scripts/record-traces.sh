#!/bin/bash
# SPDX-License-Identifier: MIT OR GPL-2.0-only
# Records the traces in traces/ anew, on this machine, with the programs that it has:
#
#	scripts/record-traces.sh build/tools/vmarea
#
# Everything happens in /tmp/demo, so that no other paths get into them.
set -eu
vmarea=$(realpath "$1")
here=$(realpath "$(dirname "$0")/../traces")
tests=$here/../tests/tools
rm -rf /tmp/demo
mkdir -m 755 /tmp/demo
cd /tmp/demo
export HOME=/tmp/demo LC_ALL=C.UTF-8 PATH=/usr/local/bin:/usr/bin:/bin

have() {
	command -v "$1" >/dev/null || { echo "no $1: its trace stays as it is"; return 1; }
}

# record NAME COMMAND...; $checks: how often the map is written between
checks=1000
record() {
	local name=$1
	shift
	"$vmarea" record -q --check-every "$checks" -o "$here/$name.vtrace.zst" -- "$@" >/dev/null
	"$vmarea" replay "$here/$name.vtrace.zst"
}

gcc -D_GNU_SOURCE -O2 -o allocator_load "$tests/allocator_load.c" -lpthread
gcc -D_GNU_SOURCE -O2 -o every_call "$tests/every_call.c" -lpthread
checks=200 record threads ./allocator_load 12 6000
checks=1 record every-call ./every_call

cat > sort.c <<'C'
#include <stdlib.h>
#include <stdio.h>
static int by_value(const void *a, const void *b) { return *(const int *)a - *(const int *)b; }
int main(void)
{
	int n = 0, v[1000];

	while (n < 1000 && scanf("%d", &v[n]) == 1)
		n++;
	qsort(v, n, sizeof(*v), by_value);
	while (n--)
		printf("%d\n", v[n]);
}
C
record gcc gcc -O2 -g -o sort sort.c

cat > shell.sh <<'C'
for word in one two three; do
	echo "$word" | tr a-z A-Z | (read -r x; expr length "$x")
done
seq 100 | sort -n | head -n 3 | tail -n 1
f() { [ "$1" -gt 0 ] && (f $(($1 - 1)); :); }
f 8
C
record shell bash shell.sh

# With what is in its pages, which has its environment in it: an empty one.
cat > pages.sh <<'C'
(echo a; true)
for i in 1 2; do echo $i | cat & done
wait
/bin/echo b | sort
C
env -i PATH=/usr/bin:/bin "$vmarea" record -q --touch -o "$here/shell-touch.vtrace.zst" -- \
	sh pages.sh >/dev/null
"$vmarea" replay "$here/shell-touch.vtrace.zst"

if have git; then
	cat > history.sh <<'C'
git init -q repository
cd repository
git config user.name Author
git config user.email author@example.org
for i in 1 2 3; do
	seq 500 "$i"00 2000 > "file$i"
	git add . && git commit -q -m "change $i"
done
git gc -q
git clone -q . ../clone
git log --stat -p
C
	record git bash history.sh
fi

if have /usr/bin/python3; then
	cat > words.py <<'C'
import collections, ctypes, decimal, hashlib, json, mmap, re, sqlite3, ssl, threading, zlib

def count(text, into):
    into.update(re.findall(r'\w+', text))

text = json.dumps({str(i): hashlib.sha256(bytes([i])).hexdigest() for i in range(250)}) * 20
counters = [collections.Counter() for _ in range(4)]
threads = [threading.Thread(target=count, args=(text, c)) for c in counters]
for t in threads:
    t.start()
for t in threads:
    t.join()
with mmap.mmap(-1, 1 << 20) as shared:
    shared.write(zlib.compress(text.encode()))
db = sqlite3.connect(':memory:')
db.execute('create table w(word, n)')
db.executemany('insert into w values(?, ?)', counters[0].items())
print(db.execute('select count(*), max(n) from w').fetchone(), decimal.Decimal(1) / 7)
C
	record python /usr/bin/python3 words.py
fi

if have javac; then
	cat > Work.java <<'C'
import java.util.*;
import java.util.concurrent.*;
public class Work {
	public static void main(String[] args) throws Exception {
		ExecutorService pool = Executors.newFixedThreadPool(6);
		List<Future<Integer>> parts = new ArrayList<>();
		for (int i = 0; i < 24; i++) {
			final int n = 500 + 40 * i;
			parts.add(pool.submit(() -> {
				Map<String, byte[]> m = new HashMap<>();
				for (int k = 0; k < n; k++)
					m.put("key" + k, new byte[4096 + k]);
				return m.size();
			}));
		}
		int sum = 0;
		for (Future<Integer> part : parts)
			sum += part.get();
		pool.shutdown();
		System.gc();
		System.out.println(sum);
	}
}
C
	javac Work.java
	record java java -Xmx256m Work
fi

if have node; then
	cat > work.js <<'C'
const { Worker, isMainThread, parentPort } = require('worker_threads');
const { execSync } = require('child_process');
function busy(n) { const a = []; for (let i = 0; i < n; i++) a.push({ i, s: 'x' + i }); return a.length; }
if (isMainThread) {
	for (let i = 0; i < 3; i++)
		new Worker(__filename).on('message', console.log);
	console.log(busy(200000), execSync('ls /').length, Buffer.alloc(8 << 20).length);
} else {
	parentPort.postMessage(busy(50000));
}
C
	record node node work.js
fi

if have sqlite3; then
	cat > tables.sql <<'C'
pragma mmap_size = 33554432;
pragma journal_mode = wal;
create table t(a integer primary key, b text);
with recursive c(x) as (select 1 union all select x + 1 from c where x < 20000)
	insert into t select x, hex(x * x) from c;
create index i on t(b);
select count(*), max(b) from t;
delete from t where a % 3 = 0;
vacuum;
C
	record sqlite sqlite3 tables.db '.read tables.sql'
fi

postgres=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | tail -n 1)
if [ -n "$postgres" ]; then
	nobody=(setpriv --reuid=65534 --regid=65534 --clear-groups)
	install -d -o 65534 -g 65534 -m 700 data
	"${nobody[@]}" "$postgres/initdb" -D /tmp/demo/data -E UTF8 --locale=C.UTF-8 -A trust >/dev/null
	cat > server.sh <<'C'
"$1/postgres" -D /tmp/demo/data -k /tmp/demo/data -h '' >/dev/null 2>&1 &
until "$1/psql" -h /tmp/demo/data -U nobody -q -c 'select 1' postgres >/dev/null 2>&1; do :; done
"$1/psql" -h /tmp/demo/data -U nobody -q postgres <<'Q'
create table t(a int, b text);
insert into t select g, md5(g::text) from generate_series(1, 20000) g;
create index i on t(b);
select count(*), max(b) from t;
Q
kill -INT $!
wait
C
	record postgres "${nobody[@]}" bash server.sh "$postgres"
fi
rm -rf /tmp/demo
