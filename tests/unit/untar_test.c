/*
 * What a tar may hold, and how each thing stands on the disk. Whiteouts are in
 * untar_layer_test.c, hostile tars in untar_hostile_test.c.
 */
#include "untarfix.h"

#include "base/hash.h"
#include "store/untar_xattr.h"

static void files_dirs_and_links(void **state)
{
	NEW_FIX(f);
	NEW_TAR(b);

	(void)state;
	NEED_ROOT();
	TM(&b, .name = "./", .type = '5', .mode = 0711, .uid = 3, .gid = 4);
	TM(&b, .name = "./d/", .type = '5', .mode = 0750, .uid = 1, .gid = 2);
	TM(&b, .name = "./d/f", .data = "hello", .mode = 0640, .uid = 5,
	   .gid = 6, .mtime = 1234567890);
	TM(&b, .name = "./d/l", .type = '2', .link = "../nowhere", .uid = 7);
	TM(&b, .name = "./d/h", .type = '1', .link = "./d/f");
	TM(&b, .name = "./d/p", .type = '6', .mode = 0620, .gid = 5);
	TM(&b, .name = "seven", .type = '7', .data = "contiguous");
	tm_end(&b);
	fix_ok(&f, &b);
	assert_mode(&f, ".", 0711);
	assert_owner(&f, ".", 3, 4);
	assert_mode(&f, "d", 0750);
	assert_owner(&f, "d", 1, 2);
	assert_mtime(&f, "d", 1000000000, 0);
	assert_content(&f, "d/f", "hello");
	assert_mode(&f, "d/f", 0640);
	assert_owner(&f, "d/f", 5, 6);
	assert_mtime(&f, "d/f", 1234567890, 0);
	assert_link(&f, "d/l", "../nowhere");
	assert_owner(&f, "d/l", 7, 0);
	assert_mtime(&f, "d/l", 1000000000, 0);
	assert_int_equal(stat_of(&f, "d/f").st_ino, stat_of(&f, "d/h").st_ino);
	assert_int_equal(stat_of(&f, "d/f").st_nlink, 2);
	assert_true(S_ISFIFO(stat_of(&f, "d/p").st_mode));
	assert_mode(&f, "d/p", 0620);
	assert_owner(&f, "d/p", 0, 5);
	assert_content(&f, "seven", "contiguous");
	assert_int_equal(f.stats.entries, 7);
	assert_int_equal(f.stats.file_bytes, 15);
}

static void the_list_says_what_is_there(void **state)
{
	NEW_FIX(f);
	NEW_TAR(b);
	struct digest d;
	struct found r;

	(void)state;
	NEED_ROOT();
	TM(&b, .name = "d/", .type = '5', .mode = 0700, .uid = 9);
	TM(&b, .name = "d/f", .data = "hello", .mode = 04711, .uid = 5);
	TM(&b, .name = "d/l", .type = '2', .link = "x y");
	TM(&b, .name = "d/h", .type = '1', .link = "d/f");
	TM(&b, .name = "d/c", .type = '3', .major = 1, .minor = 3);
	tm_end(&b);
	fix_ok(&f, &b);
	hash_bytes(DIGEST_SHA256, "hello", 5, &d);
	r = record_of(&f, "d/f");
	assert_int_equal(r.r.type, 'f');
	assert_int_equal(r.r.mode, 04711);
	assert_int_equal(r.r.uid, 5);
	assert_int_equal(r.r.size, 5);
	assert_string_equal(r.r.sha256, d.hex);
	assert_true(r.r.mtime_s == 1000000000);
	r = record_of(&f, "d");
	assert_int_equal(r.r.type, 'd');
	assert_int_equal(r.r.flags, 0);
	assert_int_equal(r.r.uid, 9);
	r = record_of(&f, "d/l");
	assert_int_equal(r.r.type, 'l');
	assert_string_equal(r.target, "x y");
	r = record_of(&f, "d/h");
	assert_int_equal(r.r.type, 'h');
	assert_string_equal(r.target, "d/f");
	r = record_of(&f, "d/c");
	assert_int_equal(r.r.type, 'c');
	assert_int_equal(r.r.major, 1);
	assert_int_equal(r.r.minor, 3);
	r = record_of(&f, ".");
	assert_int_equal(r.r.flags, LIST_IMPLIED);
	assert_true(summary_of(&f).root_implied);
	assert_int_equal(summary_of(&f).entries, 6);
	assert_int_equal(summary_of(&f).replaced, 0);
}

/* chown clears setuid, so the mode comes after; and capabilities after both. */
static void setuid_and_capabilities_survive(void **state)
{
	/* cap_net_raw=ep, version 2: the value has NULs in it */
	static const char cap[] = "\x01\x00\x00\x02\x00\x20\x00\x00\x00\x00"
				  "\x00\x00\x00\x00\x00\x00\x00\x00\x00";
	char got[256];

	NEW_FIX(f);
	NEW_TAR(b);

	(void)state;
	NEED_ROOT();
	TM(&b, .name = "su", .data = "x", .mode = 06755, .uid = 10, .gid = 20);
	TM(&b, .name = "su0", .data = "x", .mode = 04755);
	TM(&b, .name = "sticky", .data = "x", .mode = 01644);
	tm_pax(&b, "SCHILY.xattr.security.capability", cap, 20);
	TM(&b, .name = "ping", .data = "x", .mode = 0755, .uid = 10);
	tm_end(&b);
	fix_ok(&f, &b);
	assert_mode(&f, "su", 06755);
	assert_owner(&f, "su", 10, 20);
	assert_mode(&f, "su0", 04755);
	assert_mode(&f, "sticky", 01644);
	assert_int_equal(xattr_of(&f, "ping", "security.capability", got), 20);
	assert_memory_equal(got, cap, 20);
	assert_owner(&f, "ping", 10, 0);
}

static void xattrs_are_set_and_overlays_escaped(void **state)
{
	char got[256];
	char digest[65];
	struct err e = {0};

	NEW_FIX(f);
	NEW_TAR(b);

	(void)state;
	NEED_ROOT();
	tm_pax(&b, "SCHILY.xattr.user.mine", "a\0b", 3);
	TM(&b, .name = "f", .data = "x");
	tm_pax_str(&b, "SCHILY.xattr.trusted.overlay.redirect", "/etc");
	TM(&b, .name = "d/", .type = '5');
	tm_pax_str(&b, "SCHILY.xattr.user.overlay.opaque", "y");
	TM(&b, .name = "e/", .type = '5');
	tm_pax_str(&b, "SCHILY.xattr.trusted.t", "link");
	TM(&b, .name = "l", .type = '2', .link = "f");
	tm_pax_str(&b, "SCHILY.xattr.security.selinux", "not_ours");
	TM(&b, .name = "s", .data = "x");
	tm_end(&b);
	fix_ok(&f, &b);
	assert_int_equal(xattr_of(&f, "f", "user.mine", got), 3);
	assert_memory_equal(got, "a\0b", 3);
	assert_int_equal(xattr_of(&f, "d", "trusted.overlay.redirect", got),
			 -1);
	assert_int_equal(
		xattr_of(&f, "d", "trusted.overlay.overlay.redirect", got), 4);
	assert_int_equal(xattr_of(&f, "e", "user.overlay.opaque", got), -1);
	assert_int_equal(xattr_of(&f, "e", "user.overlay.overlay.opaque", got),
			 1);
	assert_int_equal(xattr_of(&f, "l", "trusted.t", got), 4);
	assert_int_equal(xattr_of(&f, "s", "security.selinux", got), -1);
	assert_int_equal(f.stats.xattrs_dropped, 0);
	/* The list and the disk agree on what is there. */
	assert_int_equal(xattr_disk_digest(f.dir, "d", false, digest, &e), 0);
	assert_string_equal(record_of(&f, "d").r.xattrs, digest);
	assert_int_equal(xattr_disk_digest(f.dir, "l", false, digest, &e), 0);
	assert_string_equal(record_of(&f, "l").r.xattrs, digest);
	assert_string_equal(record_of(&f, "s").r.xattrs, "");
}

static void trusted_xattrs_are_dropped_in_a_user_namespace(void **state)
{
	char got[256];

	NEW_FIX(f);
	NEW_TAR(b);

	(void)state;
	f.o.userxattr = true;
	f.o.squash = true;
	tm_pax_str(&b, "SCHILY.xattr.trusted.t", "v");
	TM(&b, .name = "f", .data = "x");
	tm_end(&b);
	fix_ok(&f, &b);
	assert_int_equal(xattr_of(&f, "f", "trusted.t", got), -1);
	assert_int_equal(f.stats.xattrs_dropped, 1);
	assert_non_null(strstr(f.stats.note, "trusted.t"));
}

/* A default ACL must not reach the children that are made meanwhile. */
static void default_acls_come_last(void **state)
{
	/* version 2; user::rwx user:1000:rwx group::r-x mask::rwx other::--- */
	static const char acl[] =
		"\x02\0\0\0"
		"\x01\0\x07\0\xff\xff\xff\xff\x02\0\x07\0\xe8\x03\0\0"
		"\x04\0\x05\0\xff\xff\xff\xff\x10\0\x07\0\xff\xff\xff\xff"
		"\x20\0\x00\0\xff\xff\xff\xff";
	const size_t n = 4 + 5 * 8;
	char got[256];

	NEW_FIX(f);
	NEW_TAR(b);

	(void)state;
	NEED_ROOT();
	tm_pax(&b, "SCHILY.xattr.system.posix_acl_default", acl, n);
	TM(&b, .name = "d/", .type = '5');
	TM(&b, .name = "d/f", .data = "x", .mode = 0644);
	TM(&b, .name = "d/e/", .type = '5');
	tm_end(&b);
	fix_ok(&f, &b);
	if (f.stats.xattrs_dropped > 0) {
		print_message("this file system has no ACLs\n");
		skip();
	}
	assert_int_equal(xattr_of(&f, "d", "system.posix_acl_default", got), n);
	assert_int_equal(xattr_of(&f, "d/f", "system.posix_acl_access", got),
			 -1);
	assert_int_equal(xattr_of(&f, "d/e", "system.posix_acl_default", got),
			 -1);
	assert_mode(&f, "d/f", 0644);
	assert_true(record_of(&f, "d").r.xattrs[0] != '\0');
}

static void directories_get_mode_and_time_last(void **state)
{
	NEW_FIX(f);
	NEW_TAR(b);

	(void)state;
	NEED_ROOT();
	TM(&b, .name = "ro/", .type = '5', .mode = 0555, .mtime = 111);
	TM(&b, .name = "no/", .type = '5', .mode = MODE_ZERO, .mtime = 222);
	TM(&b, .name = "no/in/", .type = '5', .mode = 0111, .mtime = 333);
	TM(&b, .name = "no/in/f", .data = "deep");
	TM(&b, .name = "ro/f", .data = "x");
	TM(&b, .name = "sg/", .type = '5', .mode = 03775, .gid = 50);
	TM(&b, .name = "sg/f", .data = "x");
	TM(&b, .name = "sg/d/", .type = '5');
	tm_end(&b);
	fix_ok(&f, &b);
	assert_mode(&f, "ro", 0555);
	assert_mtime(&f, "ro", 111, 0);
	assert_mode(&f, "no", 0);
	assert_mtime(&f, "no", 222, 0);
	assert_mode(&f, "no/in", 0111);
	assert_mtime(&f, "no/in", 333, 0);
	assert_content(&f, "no/in/f", "deep");
	assert_mode(&f, "sg", 03775);
	/* setgid was not there yet when these were made */
	assert_owner(&f, "sg/f", 0, 0);
	assert_owner(&f, "sg/d", 0, 0);
	assert_mode(&f, "sg/d", 0755);
}

static void devices_are_made_or_skipped(void **state)
{
	for (int skip_them = 0; skip_them < 2; skip_them++) {
		NEW_FIX(f);
		NEW_TAR(b);
		struct stat st;

		(void)state;
		NEED_ROOT();
		f.o.no_devices = skip_them;
		TM(&b, .name = "c", .type = '3', .mode = 0666, .major = 1,
		   .minor = 3, .gid = 5);
		TM(&b, .name = "b", .type = '4', .mode = 0660, .major = 259,
		   .minor = 300);
		TM(&b, .name = "p", .type = '6');
		tm_end(&b);
		fix_ok(&f, &b);
		assert_true(is_there(&f, "p"));
		assert_int_equal(f.stats.devices_skipped, skip_them ? 2 : 0);
		assert_int_equal(record_of(&f, "c").r.flags,
				 skip_them ? LIST_SKIPPED : 0);
		if (skip_them) {
			assert_false(is_there(&f, "c"));
			assert_non_null(strstr(f.stats.note, "device c"));
			continue;
		}
		st = stat_of(&f, "c");
		assert_true(S_ISCHR(st.st_mode));
		assert_int_equal(st.st_rdev, makedev(1, 3));
		assert_mode(&f, "c", 0666);
		assert_owner(&f, "c", 0, 5);
		st = stat_of(&f, "b");
		assert_true(S_ISBLK(st.st_mode));
		assert_int_equal(st.st_rdev, makedev(259, 300));
	}
}

static void names_are_bytes(void **state)
{
	char gnu[300];
	char pax[400];

	NEW_FIX(f);
	NEW_TAR(b);

	(void)state;
	memset(gnu, 'g', sizeof(gnu));
	gnu[sizeof(gnu) - 1] = '\0';
	gnu[150] = '/';
	memset(pax, 'p', sizeof(pax));
	pax[sizeof(pax) - 1] = '\0';
	pax[200] = '/';
	f.o.squash = true;
	TM(&b, .name = "raw\xff\xfe", .data = "1");
	TM(&b, .name = "new\nline", .data = "2");
	tm_pax_str(&b, "path", "caf\xc3\xa9");
	TM(&b, .name = "other", .data = "3");
	tm_pax_str(&b, "path", "bad\xff utf8");
	TM(&b, .name = "other", .data = "4");
	tm_add_n(&b, &(struct ent){.name = "L", .type = 'L', .gnu = 1}, gnu,
		 sizeof(gnu));
	TM(&b, .name = "other", .data = "5", .gnu = 1);
	tm_pax_str(&b, "path", pax);
	TM(&b, .name = "other", .data = "6");
	tm_pax_str(&b, "linkpath", "caf\xc3\xa9");
	TM(&b, .name = "h", .type = '1', .link = "other");
	tm_add_n(&b, &(struct ent){.name = "K", .type = 'K', .gnu = 1}, gnu,
		 sizeof(gnu));
	TM(&b, .name = "l", .type = '2', .link = "other", .gnu = 1);
	tm_end(&b);
	fix_ok(&f, &b);
	assert_content(&f, "raw\xff\xfe", "1");
	assert_content(&f, "new\nline", "2");
	assert_content(&f, "caf\xc3\xa9", "3");
	assert_content(&f, "bad\xff utf8", "4");
	assert_content(&f, gnu, "5");
	assert_content(&f, pax, "6");
	assert_content(&f, "h", "3");
	assert_link(&f, "l", gnu);
	assert_false(is_there(&f, "other"));
}

static void numbers_of_all_kinds(void **state)
{
	NEW_FIX(f);
	NEW_TAR(b);

	(void)state;
	NEED_ROOT();
	/* base-256: -2 as time; a size of 5 */
	TM(&b, .name = "old", .data = "x",
	   .raw_mtime = "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xfe");
	TM(&b, .name = "size", .data = "12345",
	   .size = "\x80\0\0\0\0\0\0\0\0\0\0\x05");
	tm_pax_str(&b, "mtime", "1350244992.023960108");
	TM(&b, .name = "ns", .data = "x");
	tm_pax_str(&b, "uid", "3000000000");
	TM(&b, .name = "big", .data = "x", .uid = 1);
	tm_pax_str(&b, "size", "6");
	tm_add_n(&b, &(struct ent){.name = "paxsize", .size = "00000000000"},
		 "abcdef", 6);
	/* A directory named in the way of the old tars. */
	TM(&b, .name = "olddir/", .mode = 0755);
	/* The name in the header loses against the number. */
	tm_pax_str(&b, "uname", "daemon");
	TM(&b, .name = "named", .uid = 77);
	tm_pax_raw(&b, 'g', "21 comment=something\n", 21);
	TM(&b, .name = "after-global", .data = "x");
	tm_end(&b);
	fix_ok(&f, &b);
	assert_mtime(&f, "old", -2, 0);
	assert_content(&f, "size", "12345");
	assert_mtime(&f, "ns", 1350244992, 23960108);
	assert_owner(&f, "big", 3000000000u, 0);
	assert_content(&f, "paxsize", "abcdef");
	assert_true(S_ISDIR(stat_of(&f, "olddir").st_mode));
	assert_owner(&f, "named", 77, 0);
	assert_content(&f, "after-global", "x");
}

static void assert_sparse(struct fix *f, const char *path)
{
	char want[3000] = {0};
	autobuf struct buf got = buf_make(TAR_MAX);
	struct digest d;
	struct err e = {0};

	memset(want + 1024, 'A', 512);
	memset(want + 2048, 'B', 10);
	assert_int_equal(fs_read_at(f->dir, path, &got, &e), 0);
	assert_int_equal(got.len, sizeof(want));
	assert_memory_equal(got.p, want, sizeof(want));
	hash_bytes(DIGEST_SHA256, want, sizeof(want), &d);
	assert_string_equal(record_of(f, path).r.sha256, d.hex);
	assert_int_equal(record_of(f, path).r.size, sizeof(want));
}

/* 522 bytes of data: 512 at 1024, 10 at 2048; the file has 3000. */
static void sparse_data(char *p)
{
	memset(p, 'A', 512);
	memset(p + 512, 'B', 10);
}

static void add_old_gnu_sparse(struct buf *b, const char *name)
{
	const struct ent t = {.name = name, .type = 'S', .gnu = 1};
	unsigned char h[512];
	char data[522];

	sparse_data(data);
	tm_header(h, &t, sizeof(data));
	tm_octal(h + 386, 12, 1024);
	tm_octal(h + 398, 12, 512);
	tm_octal(h + 410, 12, 2048);
	tm_octal(h + 422, 12, 10);
	tm_octal(h + 434, 12, 3000);
	tm_octal(h + 446, 12, 0);
	tm_octal(h + 483, 12, 3000);
	tm_sum(h);
	buf_add(b, h, sizeof(h));
	buf_add(b, data, sizeof(data));
	tm_pad(b);
}

/* The map goes on in a block of its own. */
static void add_old_gnu_extended(struct buf *b, const char *name)
{
	const struct ent t = {.name = name, .type = 'S', .gnu = 1};
	unsigned char h[512];
	unsigned char more[512] = {0};
	char data[522];

	sparse_data(data);
	tm_header(h, &t, sizeof(data));
	tm_octal(h + 386, 12, 1024);
	tm_octal(h + 398, 12, 100);
	tm_octal(h + 410, 12, 1124);
	tm_octal(h + 422, 12, 100);
	tm_octal(h + 434, 12, 1224);
	tm_octal(h + 446, 12, 100);
	tm_octal(h + 458, 12, 1324);
	tm_octal(h + 470, 12, 212);
	h[482] = 1;
	tm_octal(h + 483, 12, 3000);
	tm_sum(h);
	tm_octal(more, 12, 2048);
	tm_octal(more + 12, 12, 10);
	tm_octal(more + 24, 12, 3000);
	tm_octal(more + 36, 12, 0);
	buf_add(b, h, sizeof(h));
	buf_add(b, more, sizeof(more));
	buf_add(b, data, sizeof(data));
	tm_pad(b);
}

static void add_pax_sparse_01(struct buf *b, const char *name)
{
	autobuf struct buf r = buf_make(4096);
	char data[522];

	sparse_data(data);
	tm_record(&r, "GNU.sparse.size", "3000", 4);
	tm_record(&r, "GNU.sparse.numblocks", "3", 1);
	tm_record(&r, "GNU.sparse.name", name, strlen(name));
	tm_record(&r, "GNU.sparse.map", "1024,512,2048,10,3000,0", 23);
	tm_pax_raw(b, 'x', r.p, r.len);
	tm_add_n(b, &(struct ent){.name = "GNUSparseFile.0/x"}, data,
		 sizeof(data));
}

static void add_pax_sparse_10(struct buf *b, const char *name)
{
	autobuf struct buf r = buf_make(4096);
	char data[512 + 522] = "3\n1024\n512\n2048\n10\n3000\n0\n";

	sparse_data(data + 512);
	tm_record(&r, "GNU.sparse.major", "1", 1);
	tm_record(&r, "GNU.sparse.minor", "0", 1);
	tm_record(&r, "GNU.sparse.name", name, strlen(name));
	tm_record(&r, "GNU.sparse.realsize", "3000", 4);
	tm_pax_raw(b, 'x', r.p, r.len);
	tm_add_n(b, &(struct ent){.name = "GNUSparseFile.0/x"}, data,
		 sizeof(data));
}

static void sparse_files_of_all_formats(void **state)
{
	NEW_FIX(f);
	NEW_TAR(b);

	(void)state;
	f.o.squash = true;
	add_old_gnu_sparse(&b, "gnu");
	add_old_gnu_extended(&b, "gnu-extended");
	add_pax_sparse_01(&b, "pax01");
	add_pax_sparse_10(&b, "pax10");
	TM(&b, .name = "last", .data = "in step");
	tm_end(&b);
	fix_ok(&f, &b);
	assert_sparse(&f, "gnu");
	assert_sparse(&f, "gnu-extended");
	assert_sparse(&f, "pax01");
	assert_sparse(&f, "pax10");
	assert_content(&f, "last", "in step");
	assert_int_equal(f.stats.entries, 5);
}

/* 1 TiB of nothing: no space used, no minutes of hashing, no digest. */
static void huge_holes_cost_nothing(void **state)
{
	const struct ent t = {.name = "huge", .type = 'S', .gnu = 1};
	const unsigned long long size = 1ull << 40;
	unsigned char h[512];

	NEW_FIX(f);
	NEW_TAR(b);

	(void)state;
	f.o.squash = true;
	tm_header(h, &t, 512);
	tm_octal(h + 386, 12, 1ull << 30);
	tm_octal(h + 398, 12, 512);
	tm_octal(h + 410, 12, 1ull << 32);
	tm_octal(h + 422, 12, 0);
	/* the real size in base-256: it has more than eleven octal digits */
	h[483] = 0x80;
	for (int i = 0; i < 8; i++)
		h[483 + 4 + i] = (unsigned char)(size >> (56 - 8 * i));
	tm_sum(h);
	buf_add(&b, h, sizeof(h));
	buf_add(&b, h, sizeof(h)); /* any 512 bytes */
	tm_end(&b);
	fix_ok(&f, &b);
	assert_true((unsigned long long)stat_of(&f, "huge").st_size == size);
	assert_true(stat_of(&f, "huge").st_blocks < 64);
	assert_string_equal(record_of(&f, "huge").r.sha256, "");
	assert_true(record_of(&f, "huge").r.size == size);
}

/* The last entry of a path wins, whatever was there. */
static void the_last_of_a_name_wins(void **state)
{
	NEW_FIX(f);
	NEW_TAR(b);
	char got[256];

	(void)state;
	NEED_ROOT();
	TM(&b, .name = "ff", .data = "old, and longer");
	TM(&b, .name = "ff2", .type = '1', .link = "ff");
	TM(&b, .name = "ff", .data = "new", .mode = 0600);
	TM(&b, .name = "df/", .type = '5');
	TM(&b, .name = "df/child", .data = "x");
	TM(&b, .name = "df/sub/", .type = '5');
	TM(&b, .name = "df", .data = "file");
	TM(&b, .name = "fd", .data = "x");
	TM(&b, .name = "fd/", .type = '5', .mode = 0700);
	TM(&b, .name = "fd/in", .data = "x");
	TM(&b, .name = "ld", .type = '2', .link = "fd");
	TM(&b, .name = "ld/", .type = '5', .mode = 0711);
	TM(&b, .name = "fl", .data = "x");
	TM(&b, .name = "fl", .type = '2', .link = "fd");
	tm_pax_str(&b, "SCHILY.xattr.user.first", "1");
	TM(&b, .name = "dd/", .type = '5', .mode = 0700, .uid = 1, .gid = 2);
	TM(&b, .name = "dd/keep", .data = "kept");
	TM(&b, .name = "dd/", .type = '5', .mode = 0750, .mtime = 42);
	tm_end(&b);
	fix_ok(&f, &b);
	assert_content(&f, "ff", "new");
	assert_content(&f, "ff2", "old, and longer");
	assert_mode(&f, "ff", 0600);
	assert_content(&f, "df", "file");
	assert_true(S_ISDIR(stat_of(&f, "fd").st_mode));
	assert_true(S_ISDIR(stat_of(&f, "ld").st_mode));
	assert_mode(&f, "ld", 0711);
	assert_false(is_there(&f, "ld/in"));
	assert_link(&f, "fl", "fd");
	assert_content(&f, "dd/keep", "kept");
	assert_mode(&f, "dd", 0750);
	assert_owner(&f, "dd", 0, 0);
	assert_mtime(&f, "dd", 42, 0);
	assert_int_equal(xattr_of(&f, "dd", "user.first", got), -1);
	assert_int_equal(summary_of(&f).replaced, 6);
	assert_false(record_of(&f, "df/sub").any);
	assert_int_equal(record_of(&f, "df").r.type, 'f');
	assert_int_equal(record_of(&f, "fd").r.type, 'd');
}

static void hardlinks_need_their_target(void **state)
{
	static const struct {
		const char *target;
		const char *words;
	} bad[] = {
		{"missing", "not in this layer"},
		{"nodir/missing", "not in this layer"},
		{"f/below", "not in this layer"},
		{"later", "not in this layer"},
		{"../f", "'..'"},
		{"d", "a hardlink to a directory"},
		{"/", "a hardlink to a directory"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		NEW_FIX(f);
		NEW_TAR(b);

		f.o.squash = true;
		TM(&b, .name = "f", .data = "x");
		TM(&b, .name = "d/", .type = '5');
		TM(&b, .name = "h", .type = '1', .link = bad[i].target);
		TM(&b, .name = "later", .data = "x");
		tm_end(&b);
		fix_refused(&f, &b, bad[i].words);
	}
}

static void hardlinks_to_odd_things(void **state)
{
	NEW_FIX(f);
	NEW_TAR(b);

	(void)state;
	f.o.squash = true;
	TM(&b, .name = "f", .data = "x");
	TM(&b, .name = "f", .type = '1', .link = "./f"); /* itself */
	TM(&b, .name = "sl", .type = '2', .link = "/etc/passwd");
	TM(&b, .name = "hl", .type = '1', .link = "sl");
	TM(&b, .name = "usr/lib/", .type = '5');
	TM(&b, .name = "lib", .type = '2', .link = "usr/lib");
	TM(&b, .name = "lib/a", .data = "through");
	TM(&b, .name = "b", .type = '1', .link = "lib/a");
	TM(&b, .name = "b", .type = '1', .link = "f"); /* replaces */
	tm_end(&b);
	fix_ok(&f, &b);
	assert_content(&f, "f", "x");
	/* the link itself, not what it points to */
	assert_link(&f, "hl", "/etc/passwd");
	assert_int_equal(stat_of(&f, "sl").st_ino, stat_of(&f, "hl").st_ino);
	assert_content(&f, "b", "x");
	assert_string_equal(record_of(&f, "b").target, "f");
}

static void data_behind_the_end_counts_but_is_not_unpacked(void **state)
{
	NEW_FIX(f);
	NEW_TAR(b);
	struct digest d;

	(void)state;
	f.o.squash = true;
	TM(&b, .name = "in", .data = "x");
	tm_end(&b);
	TM(&b, .name = "behind", .data = "x");
	buf_adds(&b, "anything at all");
	fix_ok(&f, &b);
	assert_true(is_there(&f, "in"));
	assert_false(is_there(&f, "behind"));
	hash_bytes(DIGEST_SHA256, b.p, b.len, &d);
	assert_string_equal(f.diff_id.hex, d.hex);
	assert_int_equal(f.size, b.len);
}

static void a_missing_end_marker_is_accepted(void **state)
{
	for (int n = 0; n < 3; n++) {
		NEW_FIX(f);
		NEW_TAR(b);

		(void)state;
		f.o.squash = true;
		/* nothing at all; one file; one file and half a marker */
		if (n > 0)
			TM(&b, .name = "in", .data = "x");
		for (int i = 0; n == 2 && i < 512; i++)
			buf_addc(&b, 0);
		fix_ok(&f, &b);
		assert_int_equal(is_there(&f, "in"), n > 0);
	}
}

static void ids_can_be_squashed(void **state)
{
	NEW_FIX(f);
	NEW_TAR(b);

	(void)state;
	f.o.squash = true;
	TM(&b, .name = "d/", .type = '5', .uid = 4000, .gid = 5);
	TM(&b, .name = "d/f", .data = "x", .uid = 1, .mode = 04755);
	TM(&b, .name = "d/l", .type = '2', .link = "f", .gid = 9);
	TM(&b, .name = "root", .data = "x");
	tm_end(&b);
	fix_ok(&f, &b);
	assert_owner(&f, "d", geteuid(), getegid());
	assert_owner(&f, "d/f", geteuid(), getegid());
	assert_mode(&f, "d/f", 04755);
	assert_int_equal(f.stats.ids_squashed, 3);
	/* remembered, so that nothing is lost */
	assert_int_equal(record_of(&f, "d").r.uid, 4000);
	assert_int_equal(record_of(&f, "d").r.gid, 5);
	assert_int_equal(record_of(&f, "d").r.flags, LIST_SQUASHED);
	assert_int_equal(record_of(&f, "d/f").r.flags, LIST_SQUASHED);
	assert_int_equal(record_of(&f, "root").r.flags, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(files_dirs_and_links),
		cmocka_unit_test(the_list_says_what_is_there),
		cmocka_unit_test(setuid_and_capabilities_survive),
		cmocka_unit_test(xattrs_are_set_and_overlays_escaped),
		cmocka_unit_test(
			trusted_xattrs_are_dropped_in_a_user_namespace),
		cmocka_unit_test(default_acls_come_last),
		cmocka_unit_test(directories_get_mode_and_time_last),
		cmocka_unit_test(devices_are_made_or_skipped),
		cmocka_unit_test(names_are_bytes),
		cmocka_unit_test(numbers_of_all_kinds),
		cmocka_unit_test(sparse_files_of_all_formats),
		cmocka_unit_test(huge_holes_cost_nothing),
		cmocka_unit_test(the_last_of_a_name_wins),
		cmocka_unit_test(hardlinks_need_their_target),
		cmocka_unit_test(hardlinks_to_odd_things),
		cmocka_unit_test(
			data_behind_the_end_counts_but_is_not_unpacked),
		cmocka_unit_test(a_missing_end_marker_is_accepted),
		cmocka_unit_test(ids_can_be_squashed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
