// SPDX-License-Identifier: MIT OR GPL-2.0-only
//
// What no compiler sees: handles that are kept, forged, or carried round a loop.
//	spatch --sp-file handles.cocci --macro-file cocci_macros.h \
//		--very-quiet -D report FILE...
virtual report

// A handle in a global.
@g@
identifier x;
position p;
@@
(
 static struct vma_ref *x@p;
|
 static struct vma_mixedmap *x@p;
|
 static struct vma_mut *x@p;
|
 static struct vma_new *x@p;
|
 static struct mmap_read *x@p;
|
 static struct mmap_write *x@p;
)

@script:python depends on report@
p << g.p;
x << g.x;
@@
print("%s:%s: %s: a handle in a static variable" % (p[0].file, p[0].line, x))

// A handle in a struct.
@s@
identifier x, st;
position p;
@@
struct st {
	...
(
	struct vma_ref *x@p;
|
	struct vma_mixedmap *x@p;
|
	struct vma_mut *x@p;
|
	struct vma_new *x@p;
|
	struct mmap_read *x@p;
|
	struct mmap_write *x@p;
)
	...
};

@script:python depends on report@
p << s.p;
x << s.x;
@@
print("%s:%s: %s: a handle in a struct" % (p[0].file, p[0].line, x))

// A cast to a handle.
@c@
expression e;
position p;
@@
(
 (struct vma_ref *)@p e
|
 (struct vma_mixedmap *)@p e
|
 (struct vma_mut *)@p e
|
 (struct vma_new *)@p e
|
 (struct mm_user *)@p e
|
 (struct mmap_read *)@p e
|
 (struct mmap_write *)@p e
)

@script:python depends on report@
p << c.p;
@@
print("%s:%s: a cast to a handle type" % (p[0].file, p[0].line))

// A void pointer becomes a handle.
@v@
void *e;
identifier f =~ "^(vma_|zap_vma_range|vm_insert_page|mmap_.*unlock|__vm_flags_set|vm_flags_set)";
position p;
@@
f(e@p, ...)

@script:python depends on report@
p << v.p;
@@
print("%s:%s: a void pointer used as a handle" % (p[0].file, p[0].line))

// A vma that outlives the unlock, on any path, round loops too.
@u exists@
identifier vma, lock;
identifier f =~ "^(vma_|zap_vma_range|vm_insert_page)";
position p;
expression E;
@@
vma = vma_lookup(lock, ...)
... when any
(
mmap_read_unlock(lock)
|
mmap_write_unlock(lock)
)
... when != vma = E
f(..., <+... vma@p ...+>, ...)

@script:python depends on report@
p << u.p;
@@
print("%s:%s: a vma used after its lock was dropped" % (p[0].file, p[0].line))
