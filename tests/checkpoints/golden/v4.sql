PRAGMA application_id = 1735553652;
PRAGMA user_version = 4;
BEGIN TRANSACTION;
CREATE TABLE "_sqlite_migrations" (
   "id" INTEGER PRIMARY KEY,
   "migration_set" TEXT,
   "name" TEXT,
   "applied_at" TEXT
);
INSERT INTO "_sqlite_migrations" VALUES(1,'graphrt','journal_tables','2027-01-15 08:00:00');
INSERT INTO "_sqlite_migrations" VALUES(2,'graphrt','readable_views','2027-01-15 08:00:00');
INSERT INTO "_sqlite_migrations" VALUES(3,'graphrt','leases_and_messages','2027-01-15 08:00:00');
INSERT INTO "_sqlite_migrations" VALUES(4,'graphrt','fewer_indexes','2027-01-15 08:00:00');
CREATE TABLE blobs (
    hash TEXT PRIMARY KEY, -- sha256 of `text`
    text TEXT NOT NULL
) STRICT;
INSERT INTO "blobs" VALUES('db638ba6abe750cc43f9b0be4178ad1ab10fa693b565dc71cc2ac699397af76a','"Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 "');
CREATE TABLE definitions (
    fingerprint TEXT PRIMARY KEY,
    definition TEXT NOT NULL -- JSON
) STRICT, WITHOUT ROWID;
INSERT INTO "definitions" VALUES('10ba9893e147','{"format":1,"fingerprint":"10ba9893e147","types":["int","str"],"nodes":[["d","passage",{"crew":0},1,[["rig",1,{"crew":"crew"}],["toll",2,{"ropes":0}],["sail",3,{"ropes":1}]],2,{"max_depth":100,"on_failure":"cancel"}],["f","rig","node",{"crew":0},0],["f","toll","node",{"ropes":0},0,{"effect":"once","check":true}],["f","sail","node",{"ropes":0},1]],"root":0}');
INSERT INTO "definitions" VALUES('232b2d168ae1','{"format":1,"fingerprint":"232b2d168ae1","types":["int","str","bool","float"],"nodes":[["d","voyage",{"crew":0},1,[["rig",1,{"crew":"crew"}],["paid",2,{}],["captain",3,{"crew":"crew"}],["sleep",4,{"value":{"=":"\"tide\"",":":1},"seconds":{"=":"3600.0",":":3}}],["depart",5,{"ropes":0,"fee":1,"ready":2,"tide":3}]],4,{"max_depth":100,"on_failure":"cancel"}],["f","rig","node",{"crew":0},0],["w","paid","signal",{},0,{"label":"paid"}],["w","captain","person",{"crew":0},2],["w","sleep","timer",{"value":1,"seconds":3},1],["f","depart","node",{"ropes":0,"fee":0,"ready":2,"tide":1},1]],"root":0}');
INSERT INTO "definitions" VALUES('573565947bb4','{"format":1,"fingerprint":"573565947bb4","types":["int","str"],"nodes":[["d","crossing",{"crew":0},1,[["rig",1,{"crew":"crew"}],["sail",2,{"ropes":0}]],1,{"max_depth":100,"on_failure":"cancel"}],["f","rig","node",{"crew":0},0],["f","sail","node",{"ropes":0},1]],"root":0}');
INSERT INTO "definitions" VALUES('7cc976c73866','{"format":1,"fingerprint":"7cc976c73866","types":["int","list[str]","Closed#c63d93fd","Open#2cb898fa","Checked#4d6690e0","Open | Closed#bd35953b"],"nodes":[["m","ledger",{"page":0,"lines":1},2,"Open",["Closed"],[["Open",1,"state",["Checked"]],["Checked",2,"state",["Open","Closed"]]],{"max_transitions":1000,"on_failure":"cancel"}],["f","book","node",{"state":3},4],["f","audit","node",{"state":4},5]],"root":0}');
INSERT INTO "definitions" VALUES('931e679a29ac','{"format":1,"fingerprint":"931e679a29ac","types":["int"],"nodes":[["d","stores",{"crew":0},0,[["provision",1,{"crew":"crew"}]],0,{"max_depth":100,"on_failure":"cancel"}],["f","provision","node",{"crew":0},0]],"root":0}');
INSERT INTO "definitions" VALUES('d884a8111e4b','{"format":1,"fingerprint":"d884a8111e4b","types":["str","int","Report#d4891152","list[str]","Weighed#9d6f6b87","list[Weighed]#a968acfd","bool","list[int]"],"nodes":[["d","report",{"text":0,"factor":1},2,[["split",1,{"text":"text"}],["each:weigh",2,{"word":0,"factor":"factor"},{"each":"word"}],["heavy",3,{"weighed":1}],["praise",4,{"weighed":1}],["blame",5,{"weighed":1}],["when","when",{"if":2,"then":3,"else":4},{"type":0}],["size",6,{"factor":"factor"}],["switch","switch",{"on":6,"=\"small\"":{"=":"\"tiny\"",":":0},"default":{"=":"\"huge\"",":":0}},{"type":0}],["quick",8,{"factor":"factor"}],["slow",10,{"factor":"factor"}],["first","first",{"0":8,"1":9},{"type":1}],["one",11,{"factor":"factor"}],["two",12,{"factor":"factor"}],["three",13,{"factor":"factor"}],["quorum","quorum",{"0":11,"1":12,"2":13},{"type":7,"wins":2}],["around",14,{"factor":"factor"}],["repeat",16,{"text":"text"}],["assemble",17,{"weighed":1,"verdict":5,"size":7,"soon":10,"two":14,"fetched":15,"appendix":16}]],17,{"max_depth":100,"on_failure":"cancel"}],["f","split","node",{"text":0},3],["f","weigh","node",{"word":0,"factor":1},4],["f","heavy","node",{"weighed":5},6],["f","praise","node",{"weighed":5},0],["f","blame","node",{"weighed":5},0],["f","size","node",{"factor":1},0],["f","at_once","node",{"factor":1},1],["v",7,"quick"],["f","never","node",{"factor":1},1],["v",9,"slow"],["v",7,"one"],["v",9,"two"],["v",7,"three"],["d","around",{"factor":1},1,[["fetch",15,{"factor":"factor"}]],0,{"max_depth":100,"on_failure":"cancel"}],["f","fetch","node",{"factor":1},1],["f","repeat","node",{"text":0},0],["f","assemble","node",{"weighed":5,"verdict":0,"size":0,"soon":1,"two":7,"fetched":1,"appendix":0},2]],"root":0}');
INSERT INTO "definitions" VALUES('e3914934c1ea','{"format":1,"fingerprint":"e3914934c1ea","types":["int"],"nodes":[["d","becalmed",{"crew":0},0,[["rig",1,{"crew":"crew"}],["never",2,{"factor":0}]],1,{"max_depth":100,"on_failure":"cancel"}],["f","rig","node",{"crew":0},0],["f","never","node",{"factor":0},0]],"root":0}');
CREATE TABLE facts (
    n INTEGER PRIMARY KEY, -- run << 32 | seq
    kind TEXT NOT NULL,
    at REAL NOT NULL,      -- seconds since the epoch
    step TEXT,
    attempt INTEGER,
    value TEXT,            -- JSON; a patch if `base` is set; in `blobs` if `blob` is set
    base INTEGER,          -- seq of the fact whose value the patch applies to
    blob TEXT,             -- sha256 of a large text
    type TEXT,
    lineage TEXT,
    note TEXT,             -- JSON
    error TEXT,            -- JSON
    detail TEXT,           -- JSON
    run INTEGER GENERATED ALWAYS AS (n >> 32) VIRTUAL,
    seq INTEGER GENERATED ALWAYS AS (n & 4294967295) VIRTUAL
) STRICT;
INSERT INTO "facts" VALUES(4294967297,'run started',1800000000.0,NULL,NULL,'{"text":"Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt","factor":3}',NULL,NULL,NULL,NULL,NULL,NULL,'{"graph":"report","fingerprint":"d884a8111e4b","seed":7}');
INSERT INTO "facts" VALUES(4294967298,'started',1800000000.0,'split',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(4294967299,'started',1800000000.0,'size',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(4294967300,'started',1800000000.0,'quick',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(4294967301,'started',1800000000.0,'slow',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(4294967302,'started',1800000000.0,'one',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(4294967303,'started',1800000000.0,'two',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(4294967304,'finished',1800000000.0,'split',1,'["Ebbe","und","Flut","kommen","zweimal","am","Tag,","und","niemand","hat","sie","bestellt"]',NULL,NULL,'list[str]',NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(4294967305,'finished',1800000000.0,'size',1,'"small"',NULL,NULL,'str',NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(4294967306,'finished',1800000000.0,'quick',1,'4',NULL,NULL,'int',NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(4294967307,'finished',1800000000.0,'one',1,'4',NULL,NULL,'int',NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(4294967308,'started',1800000000.0,'three',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(4294967309,'started',1800000000.0,'repeat',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(4294967310,'started',1800000000.0,'around/fetch',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(4294967311,'started',1800000000.0,'each:weigh[0]',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(4294967312,'cancelled',1800000000.0,'slow',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(4294967313,'started',1800000000.0,'each:weigh[1]',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(4294967314,'finished',1800000000.0,'three',1,'4',NULL,NULL,'int',NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(4294967315,'finished',1800000000.0,'repeat',1,NULL,NULL,'db638ba6abe750cc43f9b0be4178ad1ab10fa693b565dc71cc2ac699397af76a','str',NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(4294967316,'attempt failed',1800000000.0,'around/fetch',1,NULL,NULL,NULL,NULL,NULL,NULL,'{"type":"ConnectionError","message":"the other side hung up","category":null,"retryable":true,"retry_after":null,"trace":"Traceback (most recent call last):\n  File \"tests/checkpoints/golden/graphs.py\", line 100, in fetch\n    raise ConnectionError(\"the other side hung up\")\nConnectionError: the other side hung up\n"}','{"retry_at":1800000000.1868656}');
INSERT INTO "facts" VALUES(4294967317,'emitted',1800000000.0,'each:weigh[0]',1,'{"word":"Ebbe"}',NULL,NULL,NULL,NULL,NULL,NULL,'{"name":"weighed"}');
INSERT INTO "facts" VALUES(4294967318,'finished',1800000000.0,'each:weigh[0]',1,'{"word":"Ebbe","weight":12}',NULL,NULL,'Weighed#9d6f6b87',NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(4294967319,'started',1800000000.0,'each:weigh[2]',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(4294967320,'started',1800000000.0,'each:weigh[3]',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(4294967321,'started',1800000000.0,'each:weigh[4]',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(4294967322,'started',1800000000.0,'each:weigh[5]',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(4294967323,'cancelled',1800000000.0,'two',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(4294967324,'emitted',1800000000.0,'each:weigh[1]',1,'{"word":"und"}',NULL,NULL,NULL,NULL,NULL,NULL,'{"name":"weighed"}');
INSERT INTO "facts" VALUES(4294967325,'finished',1800000000.0,'each:weigh[1]',1,'{"word":"und","weight":9}',NULL,NULL,'Weighed#9d6f6b87',NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(4294967326,'emitted',1800000000.0,'each:weigh[2]',1,'{"word":"Flut"}',NULL,NULL,NULL,NULL,NULL,NULL,'{"name":"weighed"}');
INSERT INTO "facts" VALUES(4294967327,'finished',1800000000.0,'each:weigh[2]',1,'{"word":"Flut","weight":12}',NULL,NULL,'Weighed#9d6f6b87',NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(4294967328,'emitted',1800000000.0,'each:weigh[3]',1,'{"word":"kommen"}',NULL,NULL,NULL,NULL,NULL,NULL,'{"name":"weighed"}');
INSERT INTO "facts" VALUES(4294967329,'finished',1800000000.0,'each:weigh[3]',1,'{"word":"kommen","weight":18}',NULL,NULL,'Weighed#9d6f6b87',NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(4294967330,'emitted',1800000000.0,'each:weigh[4]',1,'{"word":"zweimal"}',NULL,NULL,NULL,NULL,NULL,NULL,'{"name":"weighed"}');
INSERT INTO "facts" VALUES(4294967331,'finished',1800000000.0,'each:weigh[4]',1,'{"word":"zweimal","weight":21}',NULL,NULL,'Weighed#9d6f6b87',NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(4294967332,'emitted',1800000000.0,'each:weigh[5]',1,'{"word":"am"}',NULL,NULL,NULL,NULL,NULL,NULL,'{"name":"weighed"}');
INSERT INTO "facts" VALUES(4294967333,'finished',1800000000.0,'each:weigh[5]',1,'{"word":"am","weight":6}',NULL,NULL,'Weighed#9d6f6b87',NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(4294967334,'started',1800000000.0,'each:weigh[6]',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(4294967335,'started',1800000000.0,'each:weigh[7]',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(4294967336,'started',1800000000.0,'each:weigh[8]',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(4294967337,'started',1800000000.0,'each:weigh[9]',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(4294967338,'started',1800000000.0,'each:weigh[10]',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(4294967339,'started',1800000000.0,'each:weigh[11]',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(4294967340,'emitted',1800000000.0,'each:weigh[6]',1,'{"word":"Tag,"}',NULL,NULL,NULL,NULL,NULL,NULL,'{"name":"weighed"}');
INSERT INTO "facts" VALUES(4294967341,'finished',1800000000.0,'each:weigh[6]',1,'{"word":"Tag,","weight":12}',NULL,NULL,'Weighed#9d6f6b87',NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(4294967342,'emitted',1800000000.0,'each:weigh[7]',1,'{"word":"und"}',NULL,NULL,NULL,NULL,NULL,NULL,'{"name":"weighed"}');
INSERT INTO "facts" VALUES(4294967343,'finished',1800000000.0,'each:weigh[7]',1,'{"word":"und","weight":9}',NULL,NULL,'Weighed#9d6f6b87',NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(4294967344,'emitted',1800000000.0,'each:weigh[8]',1,'{"word":"niemand"}',NULL,NULL,NULL,NULL,NULL,NULL,'{"name":"weighed"}');
INSERT INTO "facts" VALUES(4294967345,'finished',1800000000.0,'each:weigh[8]',1,'{"word":"niemand","weight":21}',NULL,NULL,'Weighed#9d6f6b87',NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(4294967346,'emitted',1800000000.0,'each:weigh[9]',1,'{"word":"hat"}',NULL,NULL,NULL,NULL,NULL,NULL,'{"name":"weighed"}');
INSERT INTO "facts" VALUES(4294967347,'finished',1800000000.0,'each:weigh[9]',1,'{"word":"hat","weight":9}',NULL,NULL,'Weighed#9d6f6b87',NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(4294967348,'emitted',1800000000.0,'each:weigh[10]',1,'{"word":"sie"}',NULL,NULL,NULL,NULL,NULL,NULL,'{"name":"weighed"}');
INSERT INTO "facts" VALUES(4294967349,'finished',1800000000.0,'each:weigh[10]',1,'{"word":"sie","weight":9}',NULL,NULL,'Weighed#9d6f6b87',NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(4294967350,'emitted',1800000000.0,'each:weigh[11]',1,'{"word":"bestellt"}',NULL,NULL,NULL,NULL,NULL,NULL,'{"name":"weighed"}');
INSERT INTO "facts" VALUES(4294967351,'finished',1800000000.0,'each:weigh[11]',1,'{"word":"bestellt","weight":24}',NULL,NULL,'Weighed#9d6f6b87',NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(4294967352,'started',1800000000.0,'heavy',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(4294967353,'finished',1800000000.0,'heavy',1,'true',NULL,NULL,'bool',NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(4294967354,'started',1800000000.0,'praise',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(4294967355,'finished',1800000000.0,'praise',1,'"12 words, und alle sind schön"',NULL,NULL,'str',NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(4294967356,'started',1.80000000018686556815e+09,'around/fetch',2,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(4294967357,'finished',1.80000000018686556815e+09,'around/fetch',2,'3000',NULL,NULL,'int',NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(4294967358,'started',1.80000000018686556815e+09,'assemble',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(4294967359,'finished',1.80000000018686556815e+09,'assemble',1,'{"weighed":[{"word":"Ebbe","weight":12},{"word":"und","weight":9},{"word":"Flut","weight":12},{"word":"kommen","weight":18},{"word":"zweimal","weight":21},{"word":"am","weight":6},{"word":"Tag,","weight":12},{"word":"und","weight":9},{"word":"niemand","weight":21},{"word":"hat","weight":9},{"word":"sie","weight":9},{"word":"bestellt","weight":24}],"verdict":"12 words, und alle sind schön","size":"tiny","soon":4,"two":[4,4],"fetched":3000,"appendix":"Ebbe und Flut kommen zweimal am Tag, und"}',NULL,NULL,'Report#d4891152',NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(4294967360,'run finished',1.80000000018686556815e+09,NULL,NULL,'{"weighed":[{"word":"Ebbe","weight":12},{"word":"und","weight":9},{"word":"Flut","weight":12},{"word":"kommen","weight":18},{"word":"zweimal","weight":21},{"word":"am","weight":6},{"word":"Tag,","weight":12},{"word":"und","weight":9},{"word":"niemand","weight":21},{"word":"hat","weight":9},{"word":"sie","weight":9},{"word":"bestellt","weight":24}],"verdict":"12 words, und alle sind schön","size":"tiny","soon":4,"two":[4,4],"fetched":3000,"appendix":"Ebbe und Flut kommen zweimal am Tag, und"}',NULL,NULL,'Report#d4891152',NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934593,'run started',1800000000.0,NULL,NULL,'{"page":0,"lines":[]}',NULL,NULL,NULL,NULL,NULL,NULL,'{"graph":"ledger","fingerprint":"7cc976c73866","seed":7}');
INSERT INTO "facts" VALUES(8589934594,'started',1800000000.0,'book#1',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934595,'finished',1800000000.0,'book#1',1,'{"page":0,"lines":["page 0: 0 € — carried over"]}',NULL,NULL,'Checked#4d6690e0','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934596,'started',1800000000.0,'audit#1',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934597,'finished',1800000000.0,'audit#1',1,'{"page":1,"lines":["PAGE 0: 0 € — CARRIED OVER"]}',NULL,NULL,'Open#2cb898fa','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934598,'started',1800000000.0,'book#2',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934599,'finished',1800000000.0,'book#2',1,'{"page":1,"lines":["PAGE 0: 0 € — CARRIED OVER","page 1: 919 € — carried over"]}',NULL,NULL,'Checked#4d6690e0','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934600,'started',1800000000.0,'audit#2',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934601,'finished',1800000000.0,'audit#2',1,'[[0,8],"2",[9,79]]',7,NULL,'Open#2cb898fa','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934602,'started',1800000000.0,'book#3',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934603,'finished',1800000000.0,'book#3',1,'{"page":2,"lines":["PAGE 0: 0 € — CARRIED OVER","page 1: 919 € — carried over","page 2: 838 € — carried over"]}',NULL,NULL,'Checked#4d6690e0','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934604,'started',1800000000.0,'audit#3',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934605,'finished',1800000000.0,'audit#3',1,'[[0,8],"3",[9,114]]',11,NULL,'Open#2cb898fa','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934606,'started',1800000000.0,'book#4',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934607,'finished',1800000000.0,'book#4',1,'{"page":3,"lines":["PAGE 0: 0 € — CARRIED OVER","page 1: 919 € — carried over","page 2: 838 € — carried over","page 3: 757 € — carried over"]}',NULL,NULL,'Checked#4d6690e0','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934608,'started',1800000000.0,'audit#4',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934609,'finished',1800000000.0,'audit#4',1,'[[0,8],"4",[9,149]]',15,NULL,'Open#2cb898fa','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934610,'started',1800000000.0,'book#5',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934611,'finished',1800000000.0,'book#5',1,'[[0,156],",\"page 4: 676 € — carried over\"",[156,2]]',17,NULL,'Checked#4d6690e0','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934612,'started',1800000000.0,'audit#5',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934613,'finished',1800000000.0,'audit#5',1,'{"page":5,"lines":["PAGE 0: 0 € — CARRIED OVER","page 1: 919 € — carried over","page 2: 838 € — carried over","page 3: 757 € — carried over","page 4: 676 € — carried over"]}',NULL,NULL,'Open#2cb898fa','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934614,'started',1800000000.0,'book#6',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934615,'finished',1800000000.0,'book#6',1,'[[0,191],",\"page 5: 595 € — carried over\"",[191,2]]',21,NULL,'Checked#4d6690e0','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934616,'started',1800000000.0,'audit#6',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934617,'finished',1800000000.0,'audit#6',1,'[[0,8],"6",[9,184],"PAGE 5: 595 € — CARRIED OVER",[225,3]]',23,NULL,'Open#2cb898fa','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934618,'started',1800000000.0,'book#7',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934619,'finished',1800000000.0,'book#7',1,'[[0,226],",\"page 6: 514 € — carried over\"",[226,2]]',25,NULL,'Checked#4d6690e0','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934620,'started',1800000000.0,'audit#7',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934621,'finished',1800000000.0,'audit#7',1,'{"page":7,"lines":["PAGE 0: 0 € — CARRIED OVER","page 1: 919 € — carried over","page 2: 838 € — carried over","page 3: 757 € — carried over","page 4: 676 € — carried over","PAGE 5: 595 € — CARRIED OVER","page 6: 514 € — carried over"]}',NULL,NULL,'Open#2cb898fa','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934622,'started',1800000000.0,'book#8',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934623,'finished',1800000000.0,'book#8',1,'[[0,261],",\"page 7: 433 € — carried over\"",[261,2]]',29,NULL,'Checked#4d6690e0','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934624,'started',1800000000.0,'audit#8',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934625,'finished',1800000000.0,'audit#8',1,'[[0,8],"8",[9,289]]',31,NULL,'Open#2cb898fa','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934626,'started',1800000000.0,'book#9',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934627,'finished',1800000000.0,'book#9',1,'[[0,296],",\"page 8: 352 € — carried over\"",[296,2]]',33,NULL,'Checked#4d6690e0','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934628,'started',1800000000.0,'audit#9',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934629,'finished',1800000000.0,'audit#9',1,'[[0,8],"9",[9,324]]',35,NULL,'Open#2cb898fa','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934630,'started',1800000000.0,'book#10',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934631,'finished',1800000000.0,'book#10',1,'{"page":9,"lines":["PAGE 0: 0 € — CARRIED OVER","page 1: 919 € — carried over","page 2: 838 € — carried over","page 3: 757 € — carried over","page 4: 676 € — carried over","PAGE 5: 595 € — CARRIED OVER","page 6: 514 € — carried over","page 7: 433 € — carried over","page 8: 352 € — carried over","page 9: 271 € — carried over"]}',NULL,NULL,'Checked#4d6690e0','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934632,'started',1800000000.0,'audit#10',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934633,'finished',1800000000.0,'audit#10',1,'[[0,8],"10",[9,359]]',39,NULL,'Open#2cb898fa','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934634,'started',1800000000.0,'book#11',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934635,'finished',1800000000.0,'book#11',1,'[[0,367],",\"page 10: 190 € — carried over\"",[367,2]]',41,NULL,'Checked#4d6690e0','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934636,'started',1800000000.0,'audit#11',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934637,'finished',1800000000.0,'audit#11',1,'[[0,9],"1",[10,359],"PAGE 10: 190 € — CARRIED OVER",[402,3]]',43,NULL,'Open#2cb898fa','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934638,'started',1800000000.0,'book#12',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934639,'finished',1800000000.0,'book#12',1,'[[0,403],",\"page 11: 109 € — carried over\"",[403,2]]',45,NULL,'Checked#4d6690e0','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934640,'started',1800000000.0,'audit#12',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934641,'finished',1800000000.0,'audit#12',1,'[[0,9],"2",[10,431]]',47,NULL,'Open#2cb898fa','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934642,'started',1800000000.0,'book#13',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934643,'finished',1800000000.0,'book#13',1,'{"page":12,"lines":["PAGE 0: 0 € — CARRIED OVER","page 1: 919 € — carried over","page 2: 838 € — carried over","page 3: 757 € — carried over","page 4: 676 € — carried over","PAGE 5: 595 € — CARRIED OVER","page 6: 514 € — carried over","page 7: 433 € — carried over","page 8: 352 € — carried over","page 9: 271 € — carried over","PAGE 10: 190 € — CARRIED OVER","page 11: 109 € — carried over","page 12: 28 € — carried over"]}',NULL,NULL,'Checked#4d6690e0','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934644,'started',1800000000.0,'audit#13',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934645,'finished',1800000000.0,'audit#13',1,'[[0,9],"3",[10,466]]',51,NULL,'Open#2cb898fa','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934646,'started',1800000000.0,'book#14',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934647,'finished',1800000000.0,'book#14',1,'[[0,474],",\"page 13: 947 € — carried over\"",[474,2]]',53,NULL,'Checked#4d6690e0','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934648,'started',1800000000.0,'audit#14',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934649,'finished',1800000000.0,'audit#14',1,'[[0,9],"4",[10,502]]',55,NULL,'Open#2cb898fa','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934650,'started',1800000000.0,'book#15',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934651,'finished',1800000000.0,'book#15',1,'[[0,510],",\"page 14: 866 € — carried over\"",[510,2]]',57,NULL,'Checked#4d6690e0','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934652,'started',1800000000.0,'audit#15',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934653,'finished',1800000000.0,'audit#15',1,'[[0,9],"5",[10,538]]',59,NULL,'Open#2cb898fa','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934654,'started',1800000000.0,'book#16',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934655,'finished',1800000000.0,'book#16',1,'[[0,546],",\"page 15: 785 € — carried over\"",[546,2]]',61,NULL,'Checked#4d6690e0','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934656,'started',1800000000.0,'audit#16',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934657,'finished',1800000000.0,'audit#16',1,'[[0,9],"6",[10,538],"PAGE 15: 785 € — CARRIED OVER",[581,3]]',63,NULL,'Open#2cb898fa','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934658,'started',1800000000.0,'book#17',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934659,'finished',1800000000.0,'book#17',1,'{"page":16,"lines":["PAGE 0: 0 € — CARRIED OVER","page 1: 919 € — carried over","page 2: 838 € — carried over","page 3: 757 € — carried over","page 4: 676 € — carried over","PAGE 5: 595 € — CARRIED OVER","page 6: 514 € — carried over","page 7: 433 € — carried over","page 8: 352 € — carried over","page 9: 271 € — carried over","PAGE 10: 190 € — CARRIED OVER","page 11: 109 € — carried over","page 12: 28 € — carried over","page 13: 947 € — carried over","page 14: 866 € — carried over","PAGE 15: 785 € — CARRIED OVER","page 16: 704 € — carried over"]}',NULL,NULL,'Checked#4d6690e0','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934660,'started',1800000000.0,'audit#17',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934661,'finished',1800000000.0,'audit#17',1,'[[0,9],"7",[10,610]]',67,NULL,'Open#2cb898fa','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934662,'started',1800000000.0,'book#18',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934663,'finished',1800000000.0,'book#18',1,'[[0,618],",\"page 17: 623 € — carried over\"",[618,2]]',69,NULL,'Checked#4d6690e0','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934664,'started',1800000000.0,'audit#18',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934665,'finished',1800000000.0,'audit#18',1,'[[0,9],"8",[10,646]]',71,NULL,'Open#2cb898fa','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934666,'started',1800000000.0,'book#19',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934667,'finished',1800000000.0,'book#19',1,'[[0,654],",\"page 18: 542 € — carried over\"",[654,2]]',73,NULL,'Checked#4d6690e0','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934668,'started',1800000000.0,'audit#19',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934669,'finished',1800000000.0,'audit#19',1,'[[0,9],"9",[10,682]]',75,NULL,'Open#2cb898fa','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934670,'started',1800000000.0,'book#20',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934671,'finished',1800000000.0,'book#20',1,'[[0,690],",\"page 19: 461 € — carried over\"",[690,2]]',77,NULL,'Checked#4d6690e0','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934672,'started',1800000000.0,'audit#20',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934673,'finished',1800000000.0,'audit#20',1,'[[0,8],"20",[10,718]]',79,NULL,'Open#2cb898fa','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934674,'started',1800000000.0,'book#21',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934675,'finished',1800000000.0,'book#21',1,'[[0,726],",\"page 20: 380 € — carried over\"",[726,2]]',81,NULL,'Checked#4d6690e0','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934676,'started',1800000000.0,'audit#21',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934677,'finished',1800000000.0,'audit#21',1,'[[0,9],"1",[10,718],"PAGE 20: 380 € — CARRIED OVER",[761,3]]',83,NULL,'Open#2cb898fa','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934678,'started',1800000000.0,'book#22',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934679,'finished',1800000000.0,'book#22',1,'{"page":21,"lines":["PAGE 0: 0 € — CARRIED OVER","page 1: 919 € — carried over","page 2: 838 € — carried over","page 3: 757 € — carried over","page 4: 676 € — carried over","PAGE 5: 595 € — CARRIED OVER","page 6: 514 € — carried over","page 7: 433 € — carried over","page 8: 352 € — carried over","page 9: 271 € — carried over","PAGE 10: 190 € — CARRIED OVER","page 11: 109 € — carried over","page 12: 28 € — carried over","page 13: 947 € — carried over","page 14: 866 € — carried over","PAGE 15: 785 € — CARRIED OVER","page 16: 704 € — carried over","page 17: 623 € — carried over","page 18: 542 € — carried over","page 19: 461 € — carried over","PAGE 20: 380 € — CARRIED OVER","page 21: 299 € — carried over"]}',NULL,NULL,'Checked#4d6690e0','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934680,'started',1800000000.0,'audit#22',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934681,'finished',1800000000.0,'audit#22',1,'[[0,9],"2",[10,790]]',87,NULL,'Open#2cb898fa','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934682,'started',1800000000.0,'book#23',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934683,'finished',1800000000.0,'book#23',1,'[[0,798],",\"page 22: 218 € — carried over\"",[798,2]]',89,NULL,'Checked#4d6690e0','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934684,'started',1800000000.0,'audit#23',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934685,'finished',1800000000.0,'audit#23',1,'[[0,9],"3",[10,826]]',91,NULL,'Open#2cb898fa','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934686,'started',1800000000.0,'book#24',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934687,'finished',1800000000.0,'book#24',1,'[[0,834],",\"page 23: 137 € — carried over\"",[834,2]]',93,NULL,'Checked#4d6690e0','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934688,'started',1800000000.0,'audit#24',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934689,'finished',1800000000.0,'audit#24',1,'[[0,9],"4",[10,862]]',95,NULL,'Open#2cb898fa','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934690,'started',1800000000.0,'book#25',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934691,'finished',1800000000.0,'book#25',1,'[[0,870],",\"page 24: 56 € — carried over\"",[870,2]]',97,NULL,'Checked#4d6690e0','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934692,'started',1800000000.0,'audit#25',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934693,'finished',1800000000.0,'audit#25',1,'[[0,9],"5",[10,897]]',99,NULL,'Open#2cb898fa','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934694,'started',1800000000.0,'book#26',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934695,'finished',1800000000.0,'book#26',1,'[[0,905],",\"page 25: 975 € — carried over\"",[905,2]]',101,NULL,'Checked#4d6690e0','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934696,'started',1800000000.0,'audit#26',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934697,'finished',1800000000.0,'audit#26',1,'[[0,9],"6",[10,897],"PAGE 25: 975 € — CARRIED OVER",[940,3]]',103,NULL,'Open#2cb898fa','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934698,'started',1800000000.0,'book#27',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934699,'finished',1800000000.0,'book#27',1,'[[0,941],",\"page 26: 894 € — carried over\"",[941,2]]',105,NULL,'Checked#4d6690e0','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934700,'started',1800000000.0,'audit#27',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934701,'finished',1800000000.0,'audit#27',1,'[[0,9],"7",[10,969]]',107,NULL,'Open#2cb898fa','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934702,'started',1800000000.0,'book#28',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934703,'finished',1800000000.0,'book#28',1,'[[0,977],",\"page 27: 813 € — carried over\"",[977,2]]',109,NULL,'Checked#4d6690e0','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934704,'started',1800000000.0,'audit#28',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934705,'finished',1800000000.0,'audit#28',1,'{"page":28,"lines":["PAGE 0: 0 € — CARRIED OVER","page 1: 919 € — carried over","page 2: 838 € — carried over","page 3: 757 € — carried over","page 4: 676 € — carried over","PAGE 5: 595 € — CARRIED OVER","page 6: 514 € — carried over","page 7: 433 € — carried over","page 8: 352 € — carried over","page 9: 271 € — carried over","PAGE 10: 190 € — CARRIED OVER","page 11: 109 € — carried over","page 12: 28 € — carried over","page 13: 947 € — carried over","page 14: 866 € — carried over","PAGE 15: 785 € — CARRIED OVER","page 16: 704 € — carried over","page 17: 623 € — carried over","page 18: 542 € — carried over","page 19: 461 € — carried over","PAGE 20: 380 € — CARRIED OVER","page 21: 299 € — carried over","page 22: 218 € — carried over","page 23: 137 € — carried over","page 24: 56 € — carried over","PAGE 25: 975 € — CARRIED OVER","page 26: 894 € — carried over","page 27: 813 € — carried over"]}',NULL,NULL,'Open#2cb898fa','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934706,'started',1800000000.0,'book#29',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934707,'finished',1800000000.0,'book#29',1,'[[0,1013],",\"page 28: 732 € — carried over\"",[1013,2]]',113,NULL,'Checked#4d6690e0','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934708,'started',1800000000.0,'audit#29',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934709,'finished',1800000000.0,'audit#29',1,'[[0,9],"9",[10,1041]]',115,NULL,'Open#2cb898fa','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934710,'started',1800000000.0,'book#30',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934711,'finished',1800000000.0,'book#30',1,'[[0,1049],",\"page 29: 651 € — carried over\"",[1049,2]]',117,NULL,'Checked#4d6690e0','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934712,'started',1800000000.0,'audit#30',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934713,'finished',1800000000.0,'audit#30',1,'[[0,8],"30",[10,1077]]',119,NULL,'Open#2cb898fa','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934714,'started',1800000000.0,'book#31',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934715,'finished',1800000000.0,'book#31',1,'[[0,1085],",\"page 30: 570 € — carried over\"",[1085,2]]',121,NULL,'Checked#4d6690e0','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934716,'started',1800000000.0,'audit#31',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934717,'finished',1800000000.0,'audit#31',1,'[[0,9],"1",[10,1077],"PAGE 30: 570 € — CARRIED OVER",[1120,3]]',123,NULL,'Open#2cb898fa','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934718,'started',1800000000.0,'book#32',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934719,'finished',1800000000.0,'book#32',1,'[[0,1121],",\"page 31: 489 € — carried over\"",[1121,2]]',125,NULL,'Checked#4d6690e0','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934720,'started',1800000000.0,'audit#32',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934721,'finished',1800000000.0,'audit#32',1,'[[0,9],"2",[10,1149]]',127,NULL,'Open#2cb898fa','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934722,'started',1800000000.0,'book#33',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934723,'finished',1800000000.0,'book#33',1,'[[0,1157],",\"page 32: 408 € — carried over\"",[1157,2]]',129,NULL,'Checked#4d6690e0','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934724,'started',1800000000.0,'audit#33',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934725,'finished',1800000000.0,'audit#33',1,'[[0,9],"3",[10,1185]]',131,NULL,'Open#2cb898fa','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934726,'started',1800000000.0,'book#34',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934727,'finished',1800000000.0,'book#34',1,'[[0,1193],",\"page 33: 327 € — carried over\"",[1193,2]]',133,NULL,'Checked#4d6690e0','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934728,'started',1800000000.0,'audit#34',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934729,'finished',1800000000.0,'audit#34',1,'[[0,9],"4",[10,1221]]',135,NULL,'Open#2cb898fa','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934730,'started',1800000000.0,'book#35',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934731,'finished',1800000000.0,'book#35',1,'[[0,1229],",\"page 34: 246 € — carried over\"",[1229,2]]',137,NULL,'Checked#4d6690e0','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934732,'started',1800000000.0,'audit#35',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934733,'finished',1800000000.0,'audit#35',1,'[[0,9],"5",[10,1257]]',139,NULL,'Open#2cb898fa','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934734,'started',1800000000.0,'book#36',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934735,'finished',1800000000.0,'book#36',1,'[[0,1265],",\"page 35: 165 € — carried over\"",[1265,2]]',141,NULL,'Checked#4d6690e0','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934736,'started',1800000000.0,'audit#36',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934737,'finished',1800000000.0,'audit#36',1,'{"page":36,"lines":["PAGE 0: 0 € — CARRIED OVER","page 1: 919 € — carried over","page 2: 838 € — carried over","page 3: 757 € — carried over","page 4: 676 € — carried over","PAGE 5: 595 € — CARRIED OVER","page 6: 514 € — carried over","page 7: 433 € — carried over","page 8: 352 € — carried over","page 9: 271 € — carried over","PAGE 10: 190 € — CARRIED OVER","page 11: 109 € — carried over","page 12: 28 € — carried over","page 13: 947 € — carried over","page 14: 866 € — carried over","PAGE 15: 785 € — CARRIED OVER","page 16: 704 € — carried over","page 17: 623 € — carried over","page 18: 542 € — carried over","page 19: 461 € — carried over","PAGE 20: 380 € — CARRIED OVER","page 21: 299 € — carried over","page 22: 218 € — carried over","page 23: 137 € — carried over","page 24: 56 € — carried over","PAGE 25: 975 € — CARRIED OVER","page 26: 894 € — carried over","page 27: 813 € — carried over","page 28: 732 € — carried over","page 29: 651 € — carried over","PAGE 30: 570 € — CARRIED OVER","page 31: 489 € — carried over","page 32: 408 € — carried over","page 33: 327 € — carried over","page 34: 246 € — carried over","PAGE 35: 165 € — CARRIED OVER"]}',NULL,NULL,'Open#2cb898fa','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934738,'started',1800000000.0,'book#37',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934739,'finished',1800000000.0,'book#37',1,'[[0,1301],",\"page 36: 84 € — carried over\"",[1301,2]]',145,NULL,'Checked#4d6690e0','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934740,'started',1800000000.0,'audit#37',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934741,'finished',1800000000.0,'audit#37',1,'[[0,9],"7",[10,1328]]',147,NULL,'Open#2cb898fa','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934742,'started',1800000000.0,'book#38',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934743,'finished',1800000000.0,'book#38',1,'[[0,1336],",\"page 37: 3 € — carried over\"",[1336,2]]',149,NULL,'Checked#4d6690e0','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934744,'started',1800000000.0,'audit#38',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934745,'finished',1800000000.0,'audit#38',1,'[[0,9],"8",[10,1362]]',151,NULL,'Open#2cb898fa','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934746,'started',1800000000.0,'book#39',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934747,'finished',1800000000.0,'book#39',1,'[[0,1370],",\"page 38: 922 € — carried over\"",[1370,2]]',153,NULL,'Checked#4d6690e0','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934748,'started',1800000000.0,'audit#39',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934749,'finished',1800000000.0,'audit#39',1,'[[0,9],"9",[10,1398]]',155,NULL,'Open#2cb898fa','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934750,'started',1800000000.0,'book#40',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934751,'finished',1800000000.0,'book#40',1,'[[0,1406],",\"page 39: 841 € — carried over\"",[1406,2]]',157,NULL,'Checked#4d6690e0','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934752,'started',1800000000.0,'audit#40',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934753,'finished',1800000000.0,'audit#40',1,'[[0,8],"40",[10,1434]]',159,NULL,'Open#2cb898fa','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934754,'started',1800000000.0,'book#41',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934755,'finished',1800000000.0,'book#41',1,'[[0,1442],",\"page 40: 760 € — carried over\"",[1442,2]]',161,NULL,'Checked#4d6690e0','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934756,'started',1800000000.0,'audit#41',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934757,'finished',1800000000.0,'audit#41',1,'[[0,9],"1",[10,1434],"PAGE 40: 760 € — CARRIED OVER",[1477,3]]',163,NULL,'Open#2cb898fa','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934758,'started',1800000000.0,'book#42',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934759,'finished',1800000000.0,'book#42',1,'[[0,1478],",\"page 41: 679 € — carried over\"",[1478,2]]',165,NULL,'Checked#4d6690e0','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934760,'started',1800000000.0,'audit#42',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934761,'finished',1800000000.0,'audit#42',1,'[[0,9],"2",[10,1506]]',167,NULL,'Open#2cb898fa','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934762,'started',1800000000.0,'book#43',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934763,'finished',1800000000.0,'book#43',1,'[[0,1514],",\"page 42: 598 € — carried over\"",[1514,2]]',169,NULL,'Checked#4d6690e0','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934764,'started',1800000000.0,'audit#43',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934765,'finished',1800000000.0,'audit#43',1,'[[0,9],"3",[10,1542]]',171,NULL,'Open#2cb898fa','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934766,'started',1800000000.0,'book#44',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934767,'finished',1800000000.0,'book#44',1,'[[0,1550],",\"page 43: 517 € — carried over\"",[1550,2]]',173,NULL,'Checked#4d6690e0','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934768,'started',1800000000.0,'audit#44',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934769,'finished',1800000000.0,'audit#44',1,'[[0,9],"4",[10,1578]]',175,NULL,'Open#2cb898fa','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934770,'started',1800000000.0,'book#45',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934771,'finished',1800000000.0,'book#45',1,'[[0,1586],",\"page 44: 436 € — carried over\"",[1586,2]]',177,NULL,'Checked#4d6690e0','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934772,'started',1800000000.0,'audit#45',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934773,'finished',1800000000.0,'audit#45',1,'[[0,9],"5",[10,1614]]',179,NULL,'Open#2cb898fa','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934774,'started',1800000000.0,'book#46',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934775,'finished',1800000000.0,'book#46',1,'[[0,1622],",\"page 45: 355 € — carried over\"",[1622,2]]',181,NULL,'Checked#4d6690e0','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934776,'started',1800000000.0,'audit#46',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934777,'finished',1800000000.0,'audit#46',1,'[[0,9],"6",[10,1614],"PAGE 45: 355 € — CARRIED OVER",[1657,3]]',183,NULL,'Open#2cb898fa','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934778,'started',1800000000.0,'book#47',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934779,'finished',1800000000.0,'book#47',1,'{"page":46,"lines":["PAGE 0: 0 € — CARRIED OVER","page 1: 919 € — carried over","page 2: 838 € — carried over","page 3: 757 € — carried over","page 4: 676 € — carried over","PAGE 5: 595 € — CARRIED OVER","page 6: 514 € — carried over","page 7: 433 € — carried over","page 8: 352 € — carried over","page 9: 271 € — carried over","PAGE 10: 190 € — CARRIED OVER","page 11: 109 € — carried over","page 12: 28 € — carried over","page 13: 947 € — carried over","page 14: 866 € — carried over","PAGE 15: 785 € — CARRIED OVER","page 16: 704 € — carried over","page 17: 623 € — carried over","page 18: 542 € — carried over","page 19: 461 € — carried over","PAGE 20: 380 € — CARRIED OVER","page 21: 299 € — carried over","page 22: 218 € — carried over","page 23: 137 € — carried over","page 24: 56 € — carried over","PAGE 25: 975 € — CARRIED OVER","page 26: 894 € — carried over","page 27: 813 € — carried over","page 28: 732 € — carried over","page 29: 651 € — carried over","PAGE 30: 570 € — CARRIED OVER","page 31: 489 € — carried over","page 32: 408 € — carried over","page 33: 327 € — carried over","page 34: 246 € — carried over","PAGE 35: 165 € — CARRIED OVER","page 36: 84 € — carried over","page 37: 3 € — carried over","page 38: 922 € — carried over","page 39: 841 € — carried over","PAGE 40: 760 € — CARRIED OVER","page 41: 679 € — carried over","page 42: 598 € — carried over","page 43: 517 € — carried over","page 44: 436 € — carried over","PAGE 45: 355 € — CARRIED OVER","page 46: 274 € — carried over"]}',NULL,NULL,'Checked#4d6690e0','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934780,'started',1800000000.0,'audit#47',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934781,'finished',1800000000.0,'audit#47',1,'[[0,9],"7",[10,1686]]',187,NULL,'Open#2cb898fa','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934782,'started',1800000000.0,'book#48',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934783,'finished',1800000000.0,'book#48',1,'[[0,1694],",\"page 47: 193 € — carried over\"",[1694,2]]',189,NULL,'Checked#4d6690e0','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934784,'started',1800000000.0,'audit#48',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934785,'finished',1800000000.0,'audit#48',1,'[[0,9],"8",[10,1722]]',191,NULL,'Open#2cb898fa','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934786,'started',1800000000.0,'book#49',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934787,'finished',1800000000.0,'book#49',1,'[[0,1730],",\"page 48: 112 € — carried over\"",[1730,2]]',193,NULL,'Checked#4d6690e0','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934788,'started',1800000000.0,'audit#49',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934789,'finished',1800000000.0,'audit#49',1,'[[0,9],"9",[10,1758]]',195,NULL,'Open#2cb898fa','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934790,'started',1800000000.0,'book#50',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934791,'finished',1800000000.0,'book#50',1,'[[0,1766],",\"page 49: 31 € — carried over\"",[1766,2]]',197,NULL,'Checked#4d6690e0','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934792,'started',1800000000.0,'audit#50',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934793,'finished',1800000000.0,'audit#50',1,'[[0,8],"50",[10,1793]]',199,NULL,'Open#2cb898fa','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934794,'started',1800000000.0,'book#51',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934795,'finished',1800000000.0,'book#51',1,'[[0,1801],",\"page 50: 950 € — carried over\"",[1801,2]]',201,NULL,'Checked#4d6690e0','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934796,'started',1800000000.0,'audit#51',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934797,'finished',1800000000.0,'audit#51',1,'[[0,9],"1",[10,1793],"PAGE 50: 950 € — CARRIED OVER",[1836,3]]',203,NULL,'Open#2cb898fa','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934798,'started',1800000000.0,'book#52',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934799,'finished',1800000000.0,'book#52',1,'[[0,1837],",\"page 51: 869 € — carried over\"",[1837,2]]',205,NULL,'Checked#4d6690e0','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934800,'started',1800000000.0,'audit#52',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934801,'finished',1800000000.0,'audit#52',1,'[[0,9],"2",[10,1865]]',207,NULL,'Open#2cb898fa','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934802,'started',1800000000.0,'book#53',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934803,'finished',1800000000.0,'book#53',1,'[[0,1873],",\"page 52: 788 € — carried over\"",[1873,2]]',209,NULL,'Checked#4d6690e0','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934804,'started',1800000000.0,'audit#53',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934805,'finished',1800000000.0,'audit#53',1,'[[0,9],"3",[10,1901]]',211,NULL,'Open#2cb898fa','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934806,'started',1800000000.0,'book#54',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934807,'finished',1800000000.0,'book#54',1,'[[0,1909],",\"page 53: 707 € — carried over\"",[1909,2]]',213,NULL,'Checked#4d6690e0','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934808,'started',1800000000.0,'audit#54',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934809,'finished',1800000000.0,'audit#54',1,'[[0,9],"4",[10,1937]]',215,NULL,'Open#2cb898fa','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934810,'started',1800000000.0,'book#55',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934811,'finished',1800000000.0,'book#55',1,'[[0,1945],",\"page 54: 626 € — carried over\"",[1945,2]]',217,NULL,'Checked#4d6690e0','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934812,'started',1800000000.0,'audit#55',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934813,'finished',1800000000.0,'audit#55',1,'[[0,9],"5",[10,1973]]',219,NULL,'Open#2cb898fa','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934814,'started',1800000000.0,'book#56',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934815,'finished',1800000000.0,'book#56',1,'[[0,1981],",\"page 55: 545 € — carried over\"",[1981,2]]',221,NULL,'Checked#4d6690e0','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934816,'started',1800000000.0,'audit#56',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934817,'finished',1800000000.0,'audit#56',1,'[[0,9],"6",[10,1973],"PAGE 55: 545 € — CARRIED OVER",[2016,3]]',223,NULL,'Open#2cb898fa','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934818,'started',1800000000.0,'book#57',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934819,'finished',1800000000.0,'book#57',1,'[[0,2017],",\"page 56: 464 € — carried over\"",[2017,2]]',225,NULL,'Checked#4d6690e0','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934820,'started',1800000000.0,'audit#57',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934821,'finished',1800000000.0,'audit#57',1,'[[0,9],"7",[10,2045]]',227,NULL,'Open#2cb898fa','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934822,'started',1800000000.0,'book#58',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934823,'finished',1800000000.0,'book#58',1,'[[0,2053],",\"page 57: 383 € — carried over\"",[2053,2]]',229,NULL,'Checked#4d6690e0','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934824,'started',1800000000.0,'audit#58',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934825,'finished',1800000000.0,'audit#58',1,'[[0,9],"8",[10,2081]]',231,NULL,'Open#2cb898fa','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934826,'started',1800000000.0,'book#59',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934827,'finished',1800000000.0,'book#59',1,'[[0,2089],",\"page 58: 302 € — carried over\"",[2089,2]]',233,NULL,'Checked#4d6690e0','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934828,'started',1800000000.0,'audit#59',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934829,'finished',1800000000.0,'audit#59',1,'[[0,9],"9",[10,2117]]',235,NULL,'Open#2cb898fa','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934830,'started',1800000000.0,'book#60',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934831,'finished',1800000000.0,'book#60',1,'[[0,2125],",\"page 59: 221 € — carried over\"",[2125,2]]',237,NULL,'Checked#4d6690e0','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934832,'started',1800000000.0,'audit#60',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934833,'finished',1800000000.0,'audit#60',1,'{"pages":60,"lines":["PAGE 0: 0 € — CARRIED OVER","page 1: 919 € — carried over","page 2: 838 € — carried over","page 3: 757 € — carried over","page 4: 676 € — carried over","PAGE 5: 595 € — CARRIED OVER","page 6: 514 € — carried over","page 7: 433 € — carried over","page 8: 352 € — carried over","page 9: 271 € — carried over","PAGE 10: 190 € — CARRIED OVER","page 11: 109 € — carried over","page 12: 28 € — carried over","page 13: 947 € — carried over","page 14: 866 € — carried over","PAGE 15: 785 € — CARRIED OVER","page 16: 704 € — carried over","page 17: 623 € — carried over","page 18: 542 € — carried over","page 19: 461 € — carried over","PAGE 20: 380 € — CARRIED OVER","page 21: 299 € — carried over","page 22: 218 € — carried over","page 23: 137 € — carried over","page 24: 56 € — carried over","PAGE 25: 975 € — CARRIED OVER","page 26: 894 € — carried over","page 27: 813 € — carried over","page 28: 732 € — carried over","page 29: 651 € — carried over","PAGE 30: 570 € — CARRIED OVER","page 31: 489 € — carried over","page 32: 408 € — carried over","page 33: 327 € — carried over","page 34: 246 € — carried over","PAGE 35: 165 € — CARRIED OVER","page 36: 84 € — carried over","page 37: 3 € — carried over","page 38: 922 € — carried over","page 39: 841 € — carried over","PAGE 40: 760 € — CARRIED OVER","page 41: 679 € — carried over","page 42: 598 € — carried over","page 43: 517 € — carried over","page 44: 436 € — carried over","PAGE 45: 355 € — CARRIED OVER","page 46: 274 € — carried over","page 47: 193 € — carried over","page 48: 112 € — carried over","page 49: 31 € — carried over","PAGE 50: 950 € — CARRIED OVER","page 51: 869 € — carried over","page 52: 788 € — carried over","page 53: 707 € — carried over","page 54: 626 € — carried over","PAGE 55: 545 € — CARRIED OVER","page 56: 464 € — carried over","page 57: 383 € — carried over","page 58: 302 € — carried over","page 59: 221 € — carried over"]}',NULL,NULL,'Closed#c63d93fd','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(8589934834,'run finished',1800000000.0,NULL,NULL,'[[0,2164]]',241,NULL,'Closed#c63d93fd',NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(12884901889,'run started',1800000000.0,NULL,NULL,'{"crew":4}',NULL,NULL,NULL,NULL,NULL,NULL,'{"graph":"crossing","fingerprint":"573565947bb4","seed":7}');
INSERT INTO "facts" VALUES(12884901890,'started',1800000000.0,'rig',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(12884901891,'finished',1800000000.0,'rig',1,'8',NULL,NULL,'int',NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(12884901892,'started',1800000000.0,'sail',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(12884901893,'attempt failed',1800000000.0,'sail',1,NULL,NULL,NULL,NULL,NULL,NULL,'{"type":"OSError","message":"[Errno 5] a gale, force 9","category":null,"retryable":true,"retry_after":null,"trace":"Traceback (most recent call last):\n  File \"tests/checkpoints/golden/graphs.py\", line 187, in sail\n    raise OSError(5, \"a gale, force 9\")\nOSError: [Errno 5] a gale, force 9\n"}','{"retry_at":1800000000.2974346}');
INSERT INTO "facts" VALUES(12884901894,'started',1.80000000029743456838e+09,'sail',2,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(12884901895,'failed',1.80000000029743456838e+09,'sail',2,NULL,NULL,NULL,NULL,NULL,NULL,'{"type":"OSError","message":"[Errno 5] a gale, force 9","category":null,"retryable":true,"retry_after":null,"trace":"Traceback (most recent call last):\n  File \"tests/checkpoints/golden/graphs.py\", line 187, in sail\n    raise OSError(5, \"a gale, force 9\")\nOSError: [Errno 5] a gale, force 9\n"}',NULL);
INSERT INTO "facts" VALUES(12884901896,'run failed',1.80000000029743456838e+09,'sail',2,NULL,NULL,NULL,NULL,NULL,NULL,'{"type":"OSError","message":"[Errno 5] a gale, force 9","category":null,"retryable":true,"retry_after":null,"trace":"Traceback (most recent call last):\n  File \"tests/checkpoints/golden/graphs.py\", line 187, in sail\n    raise OSError(5, \"a gale, force 9\")\nOSError: [Errno 5] a gale, force 9\n"}','{"node":"sail"}');
INSERT INTO "facts" VALUES(17179869185,'run started',1800000000.0,NULL,NULL,'{"crew":4}',NULL,NULL,NULL,NULL,NULL,NULL,'{"graph":"crossing","fingerprint":"573565947bb4","seed":7}');
INSERT INTO "facts" VALUES(17179869186,'started',1800000000.0,'rig',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(17179869187,'finished',1800000000.0,'rig',1,'8',NULL,NULL,'int',NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(17179869188,'started',1800000000.0,'sail',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(17179869189,'attempt failed',1800000000.0,'sail',1,NULL,NULL,NULL,NULL,NULL,NULL,'{"type":"OSError","message":"[Errno 5] a gale, force 9","category":null,"retryable":true,"retry_after":null,"trace":"Traceback (most recent call last):\n  File \"tests/checkpoints/golden/graphs.py\", line 187, in sail\n    raise OSError(5, \"a gale, force 9\")\nOSError: [Errno 5] a gale, force 9\n"}','{"retry_at":1800000000.2974346}');
INSERT INTO "facts" VALUES(17179869190,'started',1.80000000029743456838e+09,'sail',2,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(17179869191,'failed',1.80000000029743456838e+09,'sail',2,NULL,NULL,NULL,NULL,NULL,NULL,'{"type":"OSError","message":"[Errno 5] a gale, force 9","category":null,"retryable":true,"retry_after":null,"trace":"Traceback (most recent call last):\n  File \"tests/checkpoints/golden/graphs.py\", line 187, in sail\n    raise OSError(5, \"a gale, force 9\")\nOSError: [Errno 5] a gale, force 9\n"}',NULL);
INSERT INTO "facts" VALUES(17179869192,'run failed',1.80000000029743456838e+09,'sail',2,NULL,NULL,NULL,NULL,NULL,NULL,'{"type":"OSError","message":"[Errno 5] a gale, force 9","category":null,"retryable":true,"retry_after":null,"trace":"Traceback (most recent call last):\n  File \"tests/checkpoints/golden/graphs.py\", line 187, in sail\n    raise OSError(5, \"a gale, force 9\")\nOSError: [Errno 5] a gale, force 9\n"}','{"node":"sail"}');
INSERT INTO "facts" VALUES(17179869193,'run resumed',1800000060.0,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,'{"fence":2,"driver":"a machine:1:1:0"}');
INSERT INTO "facts" VALUES(17179869194,'started',1800000060.0,'sail',3,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(17179869195,'finished',1800000060.0,'sail',3,'"over, with 8 ropes"',NULL,NULL,'str',NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(17179869196,'run finished',1800000060.0,NULL,NULL,'"over, with 8 ropes"',NULL,NULL,'str',NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(21474836481,'run started',1800000000.0,NULL,NULL,'{"crew":6}',NULL,NULL,NULL,NULL,NULL,NULL,'{"graph":"becalmed","fingerprint":"e3914934c1ea","seed":7}');
INSERT INTO "facts" VALUES(21474836482,'started',1800000000.0,'rig',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(21474836483,'finished',1800000000.0,'rig',1,'12',NULL,NULL,'int',NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(21474836484,'started',1800000000.0,'never',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(21474836485,'cancelled',1800000000.0,'never',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(21474836486,'run cancelled',1800000000.0,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(25769803777,'run started',1800000000.0,NULL,NULL,'{"text":"Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt","factor":3}',NULL,NULL,NULL,NULL,NULL,NULL,'{"graph":"report","fingerprint":"d884a8111e4b","seed":7}');
INSERT INTO "facts" VALUES(25769803778,'started',1800000000.0,'split',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(25769803779,'started',1800000000.0,'size',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(25769803780,'started',1800000000.0,'quick',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(25769803781,'started',1800000000.0,'slow',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(25769803782,'started',1800000000.0,'one',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(25769803783,'started',1800000000.0,'two',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(25769803784,'finished',1800000000.0,'split',1,'["Ebbe","und","Flut","kommen","zweimal","am","Tag,","und","niemand","hat","sie","bestellt"]',NULL,NULL,'list[str]',NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(25769803785,'finished',1800000000.0,'size',1,'"small"',NULL,NULL,'str',NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(25769803786,'finished',1800000000.0,'quick',1,'4',NULL,NULL,'int',NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(25769803787,'finished',1800000000.0,'one',1,'4',NULL,NULL,'int',NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(25769803788,'started',1800000000.0,'three',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(25769803789,'started',1800000000.0,'repeat',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(25769803790,'started',1800000000.0,'around/fetch',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(25769803791,'started',1800000000.0,'each:weigh[0]',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(25769803792,'cancelled',1800000000.0,'slow',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(25769803793,'started',1800000000.0,'each:weigh[1]',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(25769803794,'finished',1800000000.0,'three',1,'4',NULL,NULL,'int',NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(25769803795,'finished',1800000000.0,'repeat',1,NULL,NULL,'db638ba6abe750cc43f9b0be4178ad1ab10fa693b565dc71cc2ac699397af76a','str',NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(25769803796,'attempt failed',1800000000.0,'around/fetch',1,NULL,NULL,NULL,NULL,NULL,NULL,'{"type":"ConnectionError","message":"the other side hung up","category":null,"retryable":true,"retry_after":null,"trace":"Traceback (most recent call last):\n  File \"tests/checkpoints/golden/graphs.py\", line 100, in fetch\n    raise ConnectionError(\"the other side hung up\")\nConnectionError: the other side hung up\n"}','{"retry_at":1800000000.1868656}');
INSERT INTO "facts" VALUES(25769803797,'emitted',1800000000.0,'each:weigh[0]',1,'{"word":"Ebbe"}',NULL,NULL,NULL,NULL,NULL,NULL,'{"name":"weighed"}');
INSERT INTO "facts" VALUES(25769803798,'finished',1800000000.0,'each:weigh[0]',1,'{"word":"Ebbe","weight":12}',NULL,NULL,'Weighed#9d6f6b87',NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(25769803799,'started',1800000000.0,'each:weigh[2]',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(25769803800,'started',1800000000.0,'each:weigh[3]',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(25769803801,'started',1800000000.0,'each:weigh[4]',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(25769803802,'started',1800000000.0,'each:weigh[5]',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(25769803803,'cancelled',1800000000.0,'two',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(25769803804,'emitted',1800000000.0,'each:weigh[1]',1,'{"word":"und"}',NULL,NULL,NULL,NULL,NULL,NULL,'{"name":"weighed"}');
INSERT INTO "facts" VALUES(25769803805,'finished',1800000000.0,'each:weigh[1]',1,'{"word":"und","weight":9}',NULL,NULL,'Weighed#9d6f6b87',NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(25769803806,'emitted',1800000000.0,'each:weigh[2]',1,'{"word":"Flut"}',NULL,NULL,NULL,NULL,NULL,NULL,'{"name":"weighed"}');
INSERT INTO "facts" VALUES(25769803807,'finished',1800000000.0,'each:weigh[2]',1,'{"word":"Flut","weight":12}',NULL,NULL,'Weighed#9d6f6b87',NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(25769803808,'emitted',1800000000.0,'each:weigh[3]',1,'{"word":"kommen"}',NULL,NULL,NULL,NULL,NULL,NULL,'{"name":"weighed"}');
INSERT INTO "facts" VALUES(25769803809,'finished',1800000000.0,'each:weigh[3]',1,'{"word":"kommen","weight":18}',NULL,NULL,'Weighed#9d6f6b87',NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(25769803810,'emitted',1800000000.0,'each:weigh[4]',1,'{"word":"zweimal"}',NULL,NULL,NULL,NULL,NULL,NULL,'{"name":"weighed"}');
INSERT INTO "facts" VALUES(25769803811,'finished',1800000000.0,'each:weigh[4]',1,'{"word":"zweimal","weight":21}',NULL,NULL,'Weighed#9d6f6b87',NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(25769803812,'emitted',1800000000.0,'each:weigh[5]',1,'{"word":"am"}',NULL,NULL,NULL,NULL,NULL,NULL,'{"name":"weighed"}');
INSERT INTO "facts" VALUES(25769803813,'finished',1800000000.0,'each:weigh[5]',1,'{"word":"am","weight":6}',NULL,NULL,'Weighed#9d6f6b87',NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(25769803814,'started',1800000000.0,'each:weigh[6]',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(25769803815,'started',1800000000.0,'each:weigh[7]',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(25769803816,'started',1800000000.0,'each:weigh[8]',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(25769803817,'started',1800000000.0,'each:weigh[9]',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(25769803818,'started',1800000000.0,'each:weigh[10]',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(25769803819,'started',1800000000.0,'each:weigh[11]',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(25769803820,'emitted',1800000000.0,'each:weigh[6]',1,'{"word":"Tag,"}',NULL,NULL,NULL,NULL,NULL,NULL,'{"name":"weighed"}');
INSERT INTO "facts" VALUES(25769803821,'finished',1800000000.0,'each:weigh[6]',1,'{"word":"Tag,","weight":12}',NULL,NULL,'Weighed#9d6f6b87',NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(25769803822,'emitted',1800000000.0,'each:weigh[7]',1,'{"word":"und"}',NULL,NULL,NULL,NULL,NULL,NULL,'{"name":"weighed"}');
INSERT INTO "facts" VALUES(25769803823,'finished',1800000000.0,'each:weigh[7]',1,'{"word":"und","weight":9}',NULL,NULL,'Weighed#9d6f6b87',NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(25769803824,'emitted',1800000000.0,'each:weigh[8]',1,'{"word":"niemand"}',NULL,NULL,NULL,NULL,NULL,NULL,'{"name":"weighed"}');
INSERT INTO "facts" VALUES(25769803825,'finished',1800000000.0,'each:weigh[8]',1,'{"word":"niemand","weight":21}',NULL,NULL,'Weighed#9d6f6b87',NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(25769803826,'emitted',1800000000.0,'each:weigh[9]',1,'{"word":"hat"}',NULL,NULL,NULL,NULL,NULL,NULL,'{"name":"weighed"}');
INSERT INTO "facts" VALUES(25769803827,'finished',1800000000.0,'each:weigh[9]',1,'{"word":"hat","weight":9}',NULL,NULL,'Weighed#9d6f6b87',NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(25769803828,'emitted',1800000000.0,'each:weigh[10]',1,'{"word":"sie"}',NULL,NULL,NULL,NULL,NULL,NULL,'{"name":"weighed"}');
INSERT INTO "facts" VALUES(25769803829,'finished',1800000000.0,'each:weigh[10]',1,'{"word":"sie","weight":9}',NULL,NULL,'Weighed#9d6f6b87',NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(25769803830,'emitted',1800000000.0,'each:weigh[11]',1,'{"word":"bestellt"}',NULL,NULL,NULL,NULL,NULL,NULL,'{"name":"weighed"}');
INSERT INTO "facts" VALUES(25769803831,'finished',1800000000.0,'each:weigh[11]',1,'{"word":"bestellt","weight":24}',NULL,NULL,'Weighed#9d6f6b87',NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(25769803832,'started',1800000000.0,'heavy',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771073,'run started',1800000000.0,NULL,NULL,'{"page":0,"lines":[]}',NULL,NULL,NULL,NULL,NULL,NULL,'{"graph":"ledger","fingerprint":"7cc976c73866","seed":7}');
INSERT INTO "facts" VALUES(30064771074,'started',1800000000.0,'book#1',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771075,'finished',1800000000.0,'book#1',1,'{"page":0,"lines":["page 0: 0 € — carried over"]}',NULL,NULL,'Checked#4d6690e0','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771076,'started',1800000000.0,'audit#1',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771077,'finished',1800000000.0,'audit#1',1,'{"page":1,"lines":["PAGE 0: 0 € — CARRIED OVER"]}',NULL,NULL,'Open#2cb898fa','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771078,'started',1800000000.0,'book#2',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771079,'finished',1800000000.0,'book#2',1,'{"page":1,"lines":["PAGE 0: 0 € — CARRIED OVER","page 1: 919 € — carried over"]}',NULL,NULL,'Checked#4d6690e0','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771080,'started',1800000000.0,'audit#2',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771081,'finished',1800000000.0,'audit#2',1,'[[0,8],"2",[9,79]]',7,NULL,'Open#2cb898fa','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771082,'started',1800000000.0,'book#3',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771083,'finished',1800000000.0,'book#3',1,'{"page":2,"lines":["PAGE 0: 0 € — CARRIED OVER","page 1: 919 € — carried over","page 2: 838 € — carried over"]}',NULL,NULL,'Checked#4d6690e0','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771084,'started',1800000000.0,'audit#3',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771085,'finished',1800000000.0,'audit#3',1,'[[0,8],"3",[9,114]]',11,NULL,'Open#2cb898fa','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771086,'started',1800000000.0,'book#4',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771087,'finished',1800000000.0,'book#4',1,'{"page":3,"lines":["PAGE 0: 0 € — CARRIED OVER","page 1: 919 € — carried over","page 2: 838 € — carried over","page 3: 757 € — carried over"]}',NULL,NULL,'Checked#4d6690e0','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771088,'started',1800000000.0,'audit#4',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771089,'finished',1800000000.0,'audit#4',1,'[[0,8],"4",[9,149]]',15,NULL,'Open#2cb898fa','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771090,'started',1800000000.0,'book#5',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771091,'finished',1800000000.0,'book#5',1,'[[0,156],",\"page 4: 676 € — carried over\"",[156,2]]',17,NULL,'Checked#4d6690e0','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771092,'started',1800000000.0,'audit#5',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771093,'finished',1800000000.0,'audit#5',1,'{"page":5,"lines":["PAGE 0: 0 € — CARRIED OVER","page 1: 919 € — carried over","page 2: 838 € — carried over","page 3: 757 € — carried over","page 4: 676 € — carried over"]}',NULL,NULL,'Open#2cb898fa','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771094,'started',1800000000.0,'book#6',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771095,'finished',1800000000.0,'book#6',1,'[[0,191],",\"page 5: 595 € — carried over\"",[191,2]]',21,NULL,'Checked#4d6690e0','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771096,'started',1800000000.0,'audit#6',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771097,'finished',1800000000.0,'audit#6',1,'[[0,8],"6",[9,184],"PAGE 5: 595 € — CARRIED OVER",[225,3]]',23,NULL,'Open#2cb898fa','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771098,'started',1800000000.0,'book#7',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771099,'finished',1800000000.0,'book#7',1,'[[0,226],",\"page 6: 514 € — carried over\"",[226,2]]',25,NULL,'Checked#4d6690e0','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771100,'started',1800000000.0,'audit#7',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771101,'finished',1800000000.0,'audit#7',1,'{"page":7,"lines":["PAGE 0: 0 € — CARRIED OVER","page 1: 919 € — carried over","page 2: 838 € — carried over","page 3: 757 € — carried over","page 4: 676 € — carried over","PAGE 5: 595 € — CARRIED OVER","page 6: 514 € — carried over"]}',NULL,NULL,'Open#2cb898fa','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771102,'started',1800000000.0,'book#8',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771103,'finished',1800000000.0,'book#8',1,'[[0,261],",\"page 7: 433 € — carried over\"",[261,2]]',29,NULL,'Checked#4d6690e0','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771104,'started',1800000000.0,'audit#8',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771105,'finished',1800000000.0,'audit#8',1,'[[0,8],"8",[9,289]]',31,NULL,'Open#2cb898fa','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771106,'started',1800000000.0,'book#9',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771107,'finished',1800000000.0,'book#9',1,'[[0,296],",\"page 8: 352 € — carried over\"",[296,2]]',33,NULL,'Checked#4d6690e0','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771108,'started',1800000000.0,'audit#9',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771109,'finished',1800000000.0,'audit#9',1,'[[0,8],"9",[9,324]]',35,NULL,'Open#2cb898fa','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771110,'started',1800000000.0,'book#10',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771111,'finished',1800000000.0,'book#10',1,'{"page":9,"lines":["PAGE 0: 0 € — CARRIED OVER","page 1: 919 € — carried over","page 2: 838 € — carried over","page 3: 757 € — carried over","page 4: 676 € — carried over","PAGE 5: 595 € — CARRIED OVER","page 6: 514 € — carried over","page 7: 433 € — carried over","page 8: 352 € — carried over","page 9: 271 € — carried over"]}',NULL,NULL,'Checked#4d6690e0','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771112,'started',1800000000.0,'audit#10',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771113,'finished',1800000000.0,'audit#10',1,'[[0,8],"10",[9,359]]',39,NULL,'Open#2cb898fa','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771114,'started',1800000000.0,'book#11',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771115,'finished',1800000000.0,'book#11',1,'[[0,367],",\"page 10: 190 € — carried over\"",[367,2]]',41,NULL,'Checked#4d6690e0','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771116,'started',1800000000.0,'audit#11',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771117,'finished',1800000000.0,'audit#11',1,'[[0,9],"1",[10,359],"PAGE 10: 190 € — CARRIED OVER",[402,3]]',43,NULL,'Open#2cb898fa','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771118,'started',1800000000.0,'book#12',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771119,'finished',1800000000.0,'book#12',1,'[[0,403],",\"page 11: 109 € — carried over\"",[403,2]]',45,NULL,'Checked#4d6690e0','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771120,'started',1800000000.0,'audit#12',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771121,'finished',1800000000.0,'audit#12',1,'[[0,9],"2",[10,431]]',47,NULL,'Open#2cb898fa','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771122,'started',1800000000.0,'book#13',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771123,'finished',1800000000.0,'book#13',1,'{"page":12,"lines":["PAGE 0: 0 € — CARRIED OVER","page 1: 919 € — carried over","page 2: 838 € — carried over","page 3: 757 € — carried over","page 4: 676 € — carried over","PAGE 5: 595 € — CARRIED OVER","page 6: 514 € — carried over","page 7: 433 € — carried over","page 8: 352 € — carried over","page 9: 271 € — carried over","PAGE 10: 190 € — CARRIED OVER","page 11: 109 € — carried over","page 12: 28 € — carried over"]}',NULL,NULL,'Checked#4d6690e0','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771124,'started',1800000000.0,'audit#13',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771125,'finished',1800000000.0,'audit#13',1,'[[0,9],"3",[10,466]]',51,NULL,'Open#2cb898fa','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771126,'started',1800000000.0,'book#14',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771127,'finished',1800000000.0,'book#14',1,'[[0,474],",\"page 13: 947 € — carried over\"",[474,2]]',53,NULL,'Checked#4d6690e0','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771128,'started',1800000000.0,'audit#14',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771129,'finished',1800000000.0,'audit#14',1,'[[0,9],"4",[10,502]]',55,NULL,'Open#2cb898fa','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771130,'started',1800000000.0,'book#15',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771131,'finished',1800000000.0,'book#15',1,'[[0,510],",\"page 14: 866 € — carried over\"",[510,2]]',57,NULL,'Checked#4d6690e0','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771132,'started',1800000000.0,'audit#15',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771133,'finished',1800000000.0,'audit#15',1,'[[0,9],"5",[10,538]]',59,NULL,'Open#2cb898fa','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771134,'started',1800000000.0,'book#16',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771135,'finished',1800000000.0,'book#16',1,'[[0,546],",\"page 15: 785 € — carried over\"",[546,2]]',61,NULL,'Checked#4d6690e0','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771136,'started',1800000000.0,'audit#16',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771137,'finished',1800000000.0,'audit#16',1,'[[0,9],"6",[10,538],"PAGE 15: 785 € — CARRIED OVER",[581,3]]',63,NULL,'Open#2cb898fa','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771138,'started',1800000000.0,'book#17',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771139,'finished',1800000000.0,'book#17',1,'{"page":16,"lines":["PAGE 0: 0 € — CARRIED OVER","page 1: 919 € — carried over","page 2: 838 € — carried over","page 3: 757 € — carried over","page 4: 676 € — carried over","PAGE 5: 595 € — CARRIED OVER","page 6: 514 € — carried over","page 7: 433 € — carried over","page 8: 352 € — carried over","page 9: 271 € — carried over","PAGE 10: 190 € — CARRIED OVER","page 11: 109 € — carried over","page 12: 28 € — carried over","page 13: 947 € — carried over","page 14: 866 € — carried over","PAGE 15: 785 € — CARRIED OVER","page 16: 704 € — carried over"]}',NULL,NULL,'Checked#4d6690e0','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771140,'started',1800000000.0,'audit#17',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771141,'finished',1800000000.0,'audit#17',1,'[[0,9],"7",[10,610]]',67,NULL,'Open#2cb898fa','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771142,'started',1800000000.0,'book#18',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771143,'finished',1800000000.0,'book#18',1,'[[0,618],",\"page 17: 623 € — carried over\"",[618,2]]',69,NULL,'Checked#4d6690e0','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771144,'started',1800000000.0,'audit#18',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771145,'finished',1800000000.0,'audit#18',1,'[[0,9],"8",[10,646]]',71,NULL,'Open#2cb898fa','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771146,'started',1800000000.0,'book#19',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771147,'finished',1800000000.0,'book#19',1,'[[0,654],",\"page 18: 542 € — carried over\"",[654,2]]',73,NULL,'Checked#4d6690e0','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771148,'started',1800000000.0,'audit#19',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771149,'finished',1800000000.0,'audit#19',1,'[[0,9],"9",[10,682]]',75,NULL,'Open#2cb898fa','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771150,'started',1800000000.0,'book#20',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771151,'finished',1800000000.0,'book#20',1,'[[0,690],",\"page 19: 461 € — carried over\"",[690,2]]',77,NULL,'Checked#4d6690e0','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771152,'started',1800000000.0,'audit#20',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771153,'finished',1800000000.0,'audit#20',1,'[[0,8],"20",[10,718]]',79,NULL,'Open#2cb898fa','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771154,'started',1800000000.0,'book#21',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771155,'finished',1800000000.0,'book#21',1,'[[0,726],",\"page 20: 380 € — carried over\"",[726,2]]',81,NULL,'Checked#4d6690e0','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771156,'started',1800000000.0,'audit#21',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771157,'finished',1800000000.0,'audit#21',1,'[[0,9],"1",[10,718],"PAGE 20: 380 € — CARRIED OVER",[761,3]]',83,NULL,'Open#2cb898fa','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771158,'started',1800000000.0,'book#22',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771159,'finished',1800000000.0,'book#22',1,'{"page":21,"lines":["PAGE 0: 0 € — CARRIED OVER","page 1: 919 € — carried over","page 2: 838 € — carried over","page 3: 757 € — carried over","page 4: 676 € — carried over","PAGE 5: 595 € — CARRIED OVER","page 6: 514 € — carried over","page 7: 433 € — carried over","page 8: 352 € — carried over","page 9: 271 € — carried over","PAGE 10: 190 € — CARRIED OVER","page 11: 109 € — carried over","page 12: 28 € — carried over","page 13: 947 € — carried over","page 14: 866 € — carried over","PAGE 15: 785 € — CARRIED OVER","page 16: 704 € — carried over","page 17: 623 € — carried over","page 18: 542 € — carried over","page 19: 461 € — carried over","PAGE 20: 380 € — CARRIED OVER","page 21: 299 € — carried over"]}',NULL,NULL,'Checked#4d6690e0','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771160,'started',1800000000.0,'audit#22',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771161,'finished',1800000000.0,'audit#22',1,'[[0,9],"2",[10,790]]',87,NULL,'Open#2cb898fa','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771162,'started',1800000000.0,'book#23',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771163,'finished',1800000000.0,'book#23',1,'[[0,798],",\"page 22: 218 € — carried over\"",[798,2]]',89,NULL,'Checked#4d6690e0','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771164,'started',1800000000.0,'audit#23',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771165,'finished',1800000000.0,'audit#23',1,'[[0,9],"3",[10,826]]',91,NULL,'Open#2cb898fa','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771166,'started',1800000000.0,'book#24',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771167,'finished',1800000000.0,'book#24',1,'[[0,834],",\"page 23: 137 € — carried over\"",[834,2]]',93,NULL,'Checked#4d6690e0','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771168,'started',1800000000.0,'audit#24',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771169,'finished',1800000000.0,'audit#24',1,'[[0,9],"4",[10,862]]',95,NULL,'Open#2cb898fa','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771170,'started',1800000000.0,'book#25',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771171,'finished',1800000000.0,'book#25',1,'[[0,870],",\"page 24: 56 € — carried over\"",[870,2]]',97,NULL,'Checked#4d6690e0','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771172,'started',1800000000.0,'audit#25',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771173,'finished',1800000000.0,'audit#25',1,'[[0,9],"5",[10,897]]',99,NULL,'Open#2cb898fa','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771174,'started',1800000000.0,'book#26',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771175,'finished',1800000000.0,'book#26',1,'[[0,905],",\"page 25: 975 € — carried over\"",[905,2]]',101,NULL,'Checked#4d6690e0','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771176,'started',1800000000.0,'audit#26',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771177,'finished',1800000000.0,'audit#26',1,'[[0,9],"6",[10,897],"PAGE 25: 975 € — CARRIED OVER",[940,3]]',103,NULL,'Open#2cb898fa','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771178,'started',1800000000.0,'book#27',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771179,'finished',1800000000.0,'book#27',1,'[[0,941],",\"page 26: 894 € — carried over\"",[941,2]]',105,NULL,'Checked#4d6690e0','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771180,'started',1800000000.0,'audit#27',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771181,'finished',1800000000.0,'audit#27',1,'[[0,9],"7",[10,969]]',107,NULL,'Open#2cb898fa','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771182,'started',1800000000.0,'book#28',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771183,'finished',1800000000.0,'book#28',1,'[[0,977],",\"page 27: 813 € — carried over\"",[977,2]]',109,NULL,'Checked#4d6690e0','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771184,'started',1800000000.0,'audit#28',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771185,'finished',1800000000.0,'audit#28',1,'{"page":28,"lines":["PAGE 0: 0 € — CARRIED OVER","page 1: 919 € — carried over","page 2: 838 € — carried over","page 3: 757 € — carried over","page 4: 676 € — carried over","PAGE 5: 595 € — CARRIED OVER","page 6: 514 € — carried over","page 7: 433 € — carried over","page 8: 352 € — carried over","page 9: 271 € — carried over","PAGE 10: 190 € — CARRIED OVER","page 11: 109 € — carried over","page 12: 28 € — carried over","page 13: 947 € — carried over","page 14: 866 € — carried over","PAGE 15: 785 € — CARRIED OVER","page 16: 704 € — carried over","page 17: 623 € — carried over","page 18: 542 € — carried over","page 19: 461 € — carried over","PAGE 20: 380 € — CARRIED OVER","page 21: 299 € — carried over","page 22: 218 € — carried over","page 23: 137 € — carried over","page 24: 56 € — carried over","PAGE 25: 975 € — CARRIED OVER","page 26: 894 € — carried over","page 27: 813 € — carried over"]}',NULL,NULL,'Open#2cb898fa','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771186,'started',1800000000.0,'book#29',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771187,'finished',1800000000.0,'book#29',1,'[[0,1013],",\"page 28: 732 € — carried over\"",[1013,2]]',113,NULL,'Checked#4d6690e0','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771188,'started',1800000000.0,'audit#29',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771189,'finished',1800000000.0,'audit#29',1,'[[0,9],"9",[10,1041]]',115,NULL,'Open#2cb898fa','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771190,'started',1800000000.0,'book#30',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771191,'finished',1800000000.0,'book#30',1,'[[0,1049],",\"page 29: 651 € — carried over\"",[1049,2]]',117,NULL,'Checked#4d6690e0','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771192,'started',1800000000.0,'audit#30',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771193,'finished',1800000000.0,'audit#30',1,'[[0,8],"30",[10,1077]]',119,NULL,'Open#2cb898fa','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771194,'started',1800000000.0,'book#31',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771195,'finished',1800000000.0,'book#31',1,'[[0,1085],",\"page 30: 570 € — carried over\"",[1085,2]]',121,NULL,'Checked#4d6690e0','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771196,'started',1800000000.0,'audit#31',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771197,'finished',1800000000.0,'audit#31',1,'[[0,9],"1",[10,1077],"PAGE 30: 570 € — CARRIED OVER",[1120,3]]',123,NULL,'Open#2cb898fa','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771198,'started',1800000000.0,'book#32',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771199,'finished',1800000000.0,'book#32',1,'[[0,1121],",\"page 31: 489 € — carried over\"",[1121,2]]',125,NULL,'Checked#4d6690e0','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771200,'started',1800000000.0,'audit#32',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771201,'finished',1800000000.0,'audit#32',1,'[[0,9],"2",[10,1149]]',127,NULL,'Open#2cb898fa','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771202,'started',1800000000.0,'book#33',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771203,'finished',1800000000.0,'book#33',1,'[[0,1157],",\"page 32: 408 € — carried over\"",[1157,2]]',129,NULL,'Checked#4d6690e0','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771204,'started',1800000000.0,'audit#33',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771205,'finished',1800000000.0,'audit#33',1,'[[0,9],"3",[10,1185]]',131,NULL,'Open#2cb898fa','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771206,'started',1800000000.0,'book#34',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771207,'finished',1800000000.0,'book#34',1,'[[0,1193],",\"page 33: 327 € — carried over\"",[1193,2]]',133,NULL,'Checked#4d6690e0','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771208,'started',1800000000.0,'audit#34',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771209,'finished',1800000000.0,'audit#34',1,'[[0,9],"4",[10,1221]]',135,NULL,'Open#2cb898fa','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771210,'started',1800000000.0,'book#35',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771211,'finished',1800000000.0,'book#35',1,'[[0,1229],",\"page 34: 246 € — carried over\"",[1229,2]]',137,NULL,'Checked#4d6690e0','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771212,'started',1800000000.0,'audit#35',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771213,'finished',1800000000.0,'audit#35',1,'[[0,9],"5",[10,1257]]',139,NULL,'Open#2cb898fa','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771214,'started',1800000000.0,'book#36',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771215,'finished',1800000000.0,'book#36',1,'[[0,1265],",\"page 35: 165 € — carried over\"",[1265,2]]',141,NULL,'Checked#4d6690e0','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771216,'started',1800000000.0,'audit#36',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771217,'finished',1800000000.0,'audit#36',1,'{"page":36,"lines":["PAGE 0: 0 € — CARRIED OVER","page 1: 919 € — carried over","page 2: 838 € — carried over","page 3: 757 € — carried over","page 4: 676 € — carried over","PAGE 5: 595 € — CARRIED OVER","page 6: 514 € — carried over","page 7: 433 € — carried over","page 8: 352 € — carried over","page 9: 271 € — carried over","PAGE 10: 190 € — CARRIED OVER","page 11: 109 € — carried over","page 12: 28 € — carried over","page 13: 947 € — carried over","page 14: 866 € — carried over","PAGE 15: 785 € — CARRIED OVER","page 16: 704 € — carried over","page 17: 623 € — carried over","page 18: 542 € — carried over","page 19: 461 € — carried over","PAGE 20: 380 € — CARRIED OVER","page 21: 299 € — carried over","page 22: 218 € — carried over","page 23: 137 € — carried over","page 24: 56 € — carried over","PAGE 25: 975 € — CARRIED OVER","page 26: 894 € — carried over","page 27: 813 € — carried over","page 28: 732 € — carried over","page 29: 651 € — carried over","PAGE 30: 570 € — CARRIED OVER","page 31: 489 € — carried over","page 32: 408 € — carried over","page 33: 327 € — carried over","page 34: 246 € — carried over","PAGE 35: 165 € — CARRIED OVER"]}',NULL,NULL,'Open#2cb898fa','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771218,'started',1800000000.0,'book#37',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771219,'finished',1800000000.0,'book#37',1,'[[0,1301],",\"page 36: 84 € — carried over\"",[1301,2]]',145,NULL,'Checked#4d6690e0','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771220,'started',1800000000.0,'audit#37',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771221,'finished',1800000000.0,'audit#37',1,'[[0,9],"7",[10,1328]]',147,NULL,'Open#2cb898fa','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771222,'started',1800000000.0,'book#38',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771223,'finished',1800000000.0,'book#38',1,'[[0,1336],",\"page 37: 3 € — carried over\"",[1336,2]]',149,NULL,'Checked#4d6690e0','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771224,'started',1800000000.0,'audit#38',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771225,'finished',1800000000.0,'audit#38',1,'[[0,9],"8",[10,1362]]',151,NULL,'Open#2cb898fa','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771226,'started',1800000000.0,'book#39',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771227,'finished',1800000000.0,'book#39',1,'[[0,1370],",\"page 38: 922 € — carried over\"",[1370,2]]',153,NULL,'Checked#4d6690e0','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771228,'started',1800000000.0,'audit#39',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771229,'finished',1800000000.0,'audit#39',1,'[[0,9],"9",[10,1398]]',155,NULL,'Open#2cb898fa','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771230,'started',1800000000.0,'book#40',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771231,'finished',1800000000.0,'book#40',1,'[[0,1406],",\"page 39: 841 € — carried over\"",[1406,2]]',157,NULL,'Checked#4d6690e0','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771232,'started',1800000000.0,'audit#40',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771233,'finished',1800000000.0,'audit#40',1,'[[0,8],"40",[10,1434]]',159,NULL,'Open#2cb898fa','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771234,'started',1800000000.0,'book#41',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771235,'finished',1800000000.0,'book#41',1,'[[0,1442],",\"page 40: 760 € — carried over\"",[1442,2]]',161,NULL,'Checked#4d6690e0','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771236,'started',1800000000.0,'audit#41',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771237,'finished',1800000000.0,'audit#41',1,'[[0,9],"1",[10,1434],"PAGE 40: 760 € — CARRIED OVER",[1477,3]]',163,NULL,'Open#2cb898fa','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771238,'started',1800000000.0,'book#42',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771239,'finished',1800000000.0,'book#42',1,'[[0,1478],",\"page 41: 679 € — carried over\"",[1478,2]]',165,NULL,'Checked#4d6690e0','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771240,'started',1800000000.0,'audit#42',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771241,'finished',1800000000.0,'audit#42',1,'[[0,9],"2",[10,1506]]',167,NULL,'Open#2cb898fa','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771242,'started',1800000000.0,'book#43',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771243,'finished',1800000000.0,'book#43',1,'[[0,1514],",\"page 42: 598 € — carried over\"",[1514,2]]',169,NULL,'Checked#4d6690e0','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771244,'started',1800000000.0,'audit#43',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771245,'finished',1800000000.0,'audit#43',1,'[[0,9],"3",[10,1542]]',171,NULL,'Open#2cb898fa','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771246,'started',1800000000.0,'book#44',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771247,'finished',1800000000.0,'book#44',1,'[[0,1550],",\"page 43: 517 € — carried over\"",[1550,2]]',173,NULL,'Checked#4d6690e0','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771248,'started',1800000000.0,'audit#44',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771249,'finished',1800000000.0,'audit#44',1,'[[0,9],"4",[10,1578]]',175,NULL,'Open#2cb898fa','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771250,'started',1800000000.0,'book#45',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771251,'finished',1800000000.0,'book#45',1,'[[0,1586],",\"page 44: 436 € — carried over\"",[1586,2]]',177,NULL,'Checked#4d6690e0','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771252,'started',1800000000.0,'audit#45',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771253,'finished',1800000000.0,'audit#45',1,'[[0,9],"5",[10,1614]]',179,NULL,'Open#2cb898fa','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771254,'started',1800000000.0,'book#46',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771255,'finished',1800000000.0,'book#46',1,'[[0,1622],",\"page 45: 355 € — carried over\"",[1622,2]]',181,NULL,'Checked#4d6690e0','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771256,'started',1800000000.0,'audit#46',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771257,'finished',1800000000.0,'audit#46',1,'[[0,9],"6",[10,1614],"PAGE 45: 355 € — CARRIED OVER",[1657,3]]',183,NULL,'Open#2cb898fa','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771258,'started',1800000000.0,'book#47',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771259,'finished',1800000000.0,'book#47',1,'{"page":46,"lines":["PAGE 0: 0 € — CARRIED OVER","page 1: 919 € — carried over","page 2: 838 € — carried over","page 3: 757 € — carried over","page 4: 676 € — carried over","PAGE 5: 595 € — CARRIED OVER","page 6: 514 € — carried over","page 7: 433 € — carried over","page 8: 352 € — carried over","page 9: 271 € — carried over","PAGE 10: 190 € — CARRIED OVER","page 11: 109 € — carried over","page 12: 28 € — carried over","page 13: 947 € — carried over","page 14: 866 € — carried over","PAGE 15: 785 € — CARRIED OVER","page 16: 704 € — carried over","page 17: 623 € — carried over","page 18: 542 € — carried over","page 19: 461 € — carried over","PAGE 20: 380 € — CARRIED OVER","page 21: 299 € — carried over","page 22: 218 € — carried over","page 23: 137 € — carried over","page 24: 56 € — carried over","PAGE 25: 975 € — CARRIED OVER","page 26: 894 € — carried over","page 27: 813 € — carried over","page 28: 732 € — carried over","page 29: 651 € — carried over","PAGE 30: 570 € — CARRIED OVER","page 31: 489 € — carried over","page 32: 408 € — carried over","page 33: 327 € — carried over","page 34: 246 € — carried over","PAGE 35: 165 € — CARRIED OVER","page 36: 84 € — carried over","page 37: 3 € — carried over","page 38: 922 € — carried over","page 39: 841 € — carried over","PAGE 40: 760 € — CARRIED OVER","page 41: 679 € — carried over","page 42: 598 € — carried over","page 43: 517 € — carried over","page 44: 436 € — carried over","PAGE 45: 355 € — CARRIED OVER","page 46: 274 € — carried over"]}',NULL,NULL,'Checked#4d6690e0','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771260,'started',1800000000.0,'audit#47',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771261,'finished',1800000000.0,'audit#47',1,'[[0,9],"7",[10,1686]]',187,NULL,'Open#2cb898fa','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771262,'started',1800000000.0,'book#48',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771263,'finished',1800000000.0,'book#48',1,'[[0,1694],",\"page 47: 193 € — carried over\"",[1694,2]]',189,NULL,'Checked#4d6690e0','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771264,'started',1800000000.0,'audit#48',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771265,'finished',1800000000.0,'audit#48',1,'[[0,9],"8",[10,1722]]',191,NULL,'Open#2cb898fa','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771266,'started',1800000000.0,'book#49',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771267,'finished',1800000000.0,'book#49',1,'[[0,1730],",\"page 48: 112 € — carried over\"",[1730,2]]',193,NULL,'Checked#4d6690e0','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771268,'started',1800000000.0,'audit#49',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771269,'finished',1800000000.0,'audit#49',1,'[[0,9],"9",[10,1758]]',195,NULL,'Open#2cb898fa','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771270,'started',1800000000.0,'book#50',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771271,'finished',1800000000.0,'book#50',1,'[[0,1766],",\"page 49: 31 € — carried over\"",[1766,2]]',197,NULL,'Checked#4d6690e0','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771272,'started',1800000000.0,'audit#50',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771273,'finished',1800000000.0,'audit#50',1,'[[0,8],"50",[10,1793]]',199,NULL,'Open#2cb898fa','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771274,'started',1800000000.0,'book#51',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771275,'finished',1800000000.0,'book#51',1,'[[0,1801],",\"page 50: 950 € — carried over\"",[1801,2]]',201,NULL,'Checked#4d6690e0','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771276,'started',1800000000.0,'audit#51',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771277,'finished',1800000000.0,'audit#51',1,'[[0,9],"1",[10,1793],"PAGE 50: 950 € — CARRIED OVER",[1836,3]]',203,NULL,'Open#2cb898fa','.',NULL,NULL,NULL);
INSERT INTO "facts" VALUES(30064771278,'started',1800000000.0,'book#52',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(34359738369,'run started',1800000000.0,NULL,NULL,'{"crew":7}',NULL,NULL,NULL,NULL,NULL,NULL,'{"graph":"voyage","fingerprint":"232b2d168ae1","seed":7}');
INSERT INTO "facts" VALUES(34359738370,'started',1800000000.0,'rig',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(34359738371,'waiting',1800000000.0,'paid',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,'{"what":"signal","name":"paid"}');
INSERT INTO "facts" VALUES(34359738372,'waiting',1800000000.0,'captain',1,NULL,NULL,NULL,NULL,NULL,'{"question":"Sail with 7?","schema":{"type":"boolean"}}',NULL,'{"what":"person"}');
INSERT INTO "facts" VALUES(34359738373,'waiting',1800000000.0,'sleep',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,'{"what":"timer","until":1800003600.0}');
INSERT INTO "facts" VALUES(34359738374,'finished',1800000000.0,'rig',1,'14',NULL,NULL,'int',NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(34359738375,'run suspended',1800000001.0,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,'{"until":1800003600.0}');
INSERT INTO "facts" VALUES(34359738376,'run resumed',1800003600.0,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,'{"fence":2,"driver":"a machine:1:1:0"}');
INSERT INTO "facts" VALUES(34359738377,'finished',1800003600.0,'sleep',1,'"tide"',NULL,NULL,'str',NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(34359738378,'run suspended',1800003601.0,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(38654705665,'run started',1800000000.0,NULL,NULL,'{"crew":7}',NULL,NULL,NULL,NULL,NULL,NULL,'{"graph":"voyage","fingerprint":"232b2d168ae1","seed":7}');
INSERT INTO "facts" VALUES(38654705666,'started',1800000000.0,'rig',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(38654705667,'waiting',1800000000.0,'paid',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,'{"what":"signal","name":"paid"}');
INSERT INTO "facts" VALUES(38654705668,'waiting',1800000000.0,'captain',1,NULL,NULL,NULL,NULL,NULL,'{"question":"Sail with 7?","schema":{"type":"boolean"}}',NULL,'{"what":"person"}');
INSERT INTO "facts" VALUES(38654705669,'waiting',1800000000.0,'sleep',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,'{"what":"timer","until":1800003600.0}');
INSERT INTO "facts" VALUES(38654705670,'finished',1800000000.0,'rig',1,'14',NULL,NULL,'int',NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(38654705671,'run suspended',1800000001.0,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,'{"until":1800003600.0}');
INSERT INTO "facts" VALUES(38654705672,'run resumed',1800086400.0,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,'{"fence":2,"driver":"a machine:1:1:0"}');
INSERT INTO "facts" VALUES(38654705673,'finished',1800086400.0,'paid',1,'12',NULL,NULL,'int',NULL,'{"message":"suspended and gone on/fee","sent":1800000000.0}',NULL,NULL);
INSERT INTO "facts" VALUES(38654705674,'finished',1800086400.0,'captain',1,'true',NULL,NULL,'bool',NULL,'{"message":"suspended and gone on/yes","sent":1800000000.0}',NULL,NULL);
INSERT INTO "facts" VALUES(38654705675,'finished',1800086400.0,'sleep',1,'"tide"',NULL,NULL,'str',NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(38654705676,'started',1800086400.0,'depart',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(38654705677,'finished',1800086400.0,'depart',1,'"14 ropes, 12 paid, True, tide"',NULL,NULL,'str',NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(38654705678,'run finished',1800086400.0,NULL,NULL,'"14 ropes, 12 paid, True, tide"',NULL,NULL,'str',NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(42949672961,'run started',1800000000.0,NULL,NULL,'{"crew":8}',NULL,NULL,NULL,NULL,NULL,NULL,'{"graph":"passage","fingerprint":"10ba9893e147","seed":7}');
INSERT INTO "facts" VALUES(42949672962,'started',1800000000.0,'rig',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(42949672963,'finished',1800000000.0,'rig',1,'16',NULL,NULL,'int',NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(42949672964,'started',1800000000.0,'toll',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,'{"intent":"41c9fe698e13f6667bec6d3eaab0b5e1"}');
INSERT INTO "facts" VALUES(47244640257,'run started',1800000000.0,NULL,NULL,'{"crew":8}',NULL,NULL,NULL,NULL,NULL,NULL,'{"graph":"passage","fingerprint":"10ba9893e147","seed":7}');
INSERT INTO "facts" VALUES(47244640258,'started',1800000000.0,'rig',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(47244640259,'finished',1800000000.0,'rig',1,'16',NULL,NULL,'int',NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(47244640260,'started',1800000000.0,'toll',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,'{"intent":"b86c0fc63a1d8e5e6b2a945cc08b30c0"}');
INSERT INTO "facts" VALUES(47244640261,'finished',1800000000.0,'toll',1,'48',NULL,NULL,'int',NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(47244640262,'started',1800000000.0,'sail',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(47244640263,'finished',1800000000.0,'sail',1,'"over, with 48 ropes"',NULL,NULL,'str',NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(47244640264,'run finished',1800000000.0,NULL,NULL,'"over, with 48 ropes"',NULL,NULL,'str',NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(51539607553,'run started',1800000000.0,NULL,NULL,'{"crew":9}',NULL,NULL,NULL,NULL,NULL,NULL,'{"graph":"stores","fingerprint":"931e679a29ac","seed":7}');
INSERT INTO "facts" VALUES(51539607554,'started',1800000000.0,'provision',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(51539607555,'substep finished',1800000000.0,'provision',1,'90',NULL,NULL,'int',NULL,NULL,NULL,'{"name":"buy"}');
INSERT INTO "facts" VALUES(55834574849,'run started',1800000000.0,NULL,NULL,'{"crew":9}',NULL,NULL,NULL,NULL,NULL,NULL,'{"graph":"stores","fingerprint":"931e679a29ac","seed":7}');
INSERT INTO "facts" VALUES(55834574850,'started',1800000000.0,'provision',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(55834574851,'substep finished',1800000000.0,'provision',1,'90',NULL,NULL,'int',NULL,NULL,NULL,'{"name":"buy"}');
INSERT INTO "facts" VALUES(55834574852,'substep finished',1800000000.0,'provision',1,'91',NULL,NULL,'int',NULL,NULL,NULL,'{"name":"stow"}');
INSERT INTO "facts" VALUES(55834574853,'finished',1800000000.0,'provision',1,'91',NULL,NULL,'int',NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(55834574854,'run finished',1800000000.0,NULL,NULL,'91',NULL,NULL,'int',NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(60129542145,'run forked',1800000000.0,NULL,NULL,'{"text":"Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt","factor":3}',NULL,NULL,NULL,NULL,NULL,NULL,'{"parent":"finished dag","at":"around/fetch","graph":"report","fingerprint":"d884a8111e4b","seed":7,"spans":[["finished dag",2,4],["finished dag",6,6],["finished dag",8,13],["finished dag",15,15],["finished dag",17,19],["finished dag",21,26],["finished dag",28,59]]}');
INSERT INTO "facts" VALUES(60129542146,'started',1800000000.0,'around/fetch',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(60129542147,'finished',1800000000.0,'around/fetch',1,'5',NULL,NULL,'int',NULL,'{"overridden":true}',NULL,NULL);
INSERT INTO "facts" VALUES(60129542148,'started',1800000000.0,'assemble',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(60129542149,'finished',1800000000.0,'assemble',1,'{"weighed":[{"word":"Ebbe","weight":12},{"word":"und","weight":9},{"word":"Flut","weight":12},{"word":"kommen","weight":18},{"word":"zweimal","weight":21},{"word":"am","weight":6},{"word":"Tag,","weight":12},{"word":"und","weight":9},{"word":"niemand","weight":21},{"word":"hat","weight":9},{"word":"sie","weight":9},{"word":"bestellt","weight":24}],"verdict":"12 words, und alle sind schön","size":"tiny","soon":4,"two":[4,4],"fetched":5,"appendix":"Ebbe und Flut kommen zweimal am Tag, und"}',NULL,NULL,'Report#d4891152',NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(60129542150,'run finished',1800000000.0,NULL,NULL,'{"weighed":[{"word":"Ebbe","weight":12},{"word":"und","weight":9},{"word":"Flut","weight":12},{"word":"kommen","weight":18},{"word":"zweimal","weight":21},{"word":"am","weight":6},{"word":"Tag,","weight":12},{"word":"und","weight":9},{"word":"niemand","weight":21},{"word":"hat","weight":9},{"word":"sie","weight":9},{"word":"bestellt","weight":24}],"verdict":"12 words, und alle sind schön","size":"tiny","soon":4,"two":[4,4],"fetched":5,"appendix":"Ebbe und Flut kommen zweimal am Tag, und"}',NULL,NULL,'Report#d4891152',NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(64424509441,'run forked',1800000000.0,NULL,NULL,'{"text":"Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt","factor":3}',NULL,NULL,NULL,NULL,NULL,NULL,'{"parent":"finished dag","at":"around/fetch","graph":"report","fingerprint":"d884a8111e4b","seed":7,"spans":[["finished dag",2,4],["finished dag",6,6],["finished dag",8,13],["finished dag",15,15],["finished dag",17,19],["finished dag",21,26],["finished dag",28,59]]}');
INSERT INTO "facts" VALUES(64424509442,'started',1800000000.0,'around/fetch',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(64424509443,'finished',1800000000.0,'around/fetch',1,'5',NULL,NULL,'int',NULL,'{"overridden":true}',NULL,NULL);
INSERT INTO "facts" VALUES(64424509444,'started',1800000000.0,'assemble',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(68719476737,'run started',1800000000.0,NULL,NULL,'{"crew":10}',NULL,NULL,NULL,NULL,NULL,NULL,'{"graph":"crossing","fingerprint":"573565947bb4","seed":7}');
INSERT INTO "facts" VALUES(68719476738,'started',1800000000.0,'rig',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(68719476739,'finished',1800000000.0,'rig',1,'20',NULL,NULL,'int',NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(68719476740,'started',1800000000.0,'sail',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(68719476741,'finished',1800000000.0,'sail',1,'"over, with 20 ropes"',NULL,NULL,'str',NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(68719476742,'run finished',1800000000.0,NULL,NULL,'"over, with 20 ropes"',NULL,NULL,'str',NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(68719476743,'run rewound',1800000060.0,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,'{"at":"sail","graph":"crossing","fingerprint":"573565947bb4","spans":[["rewound",2,3]]}');
INSERT INTO "facts" VALUES(68719476744,'run resumed',1800000060.0,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,'{"fence":2,"driver":"a machine:1:1:0"}');
INSERT INTO "facts" VALUES(68719476745,'started',1800000060.0,'sail',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(68719476746,'finished',1800000060.0,'sail',1,'"over, with 20 ropes"',NULL,NULL,'str',NULL,NULL,NULL,NULL);
INSERT INTO "facts" VALUES(68719476747,'run finished',1800000060.0,NULL,NULL,'"over, with 20 ropes"',NULL,NULL,'str',NULL,NULL,NULL,NULL);
CREATE TABLE forks (
    source INTEGER NOT NULL REFERENCES runs (n), -- whose entries are shared
    run INTEGER NOT NULL,                        -- by whom
    PRIMARY KEY (source, run)
) STRICT, WITHOUT ROWID;
INSERT INTO "forks" VALUES(1,14);
INSERT INTO "forks" VALUES(1,15);
CREATE TABLE leases (
    run INTEGER PRIMARY KEY,
    driver TEXT,            -- NULL: given back
    fence INTEGER NOT NULL, -- one more with every claim
    until REAL              -- seconds since the epoch
) STRICT;
INSERT INTO "leases" VALUES(1,NULL,1,NULL);
INSERT INTO "leases" VALUES(2,NULL,1,NULL);
INSERT INTO "leases" VALUES(3,NULL,1,NULL);
INSERT INTO "leases" VALUES(4,NULL,2,NULL);
INSERT INTO "leases" VALUES(5,NULL,1,NULL);
INSERT INTO "leases" VALUES(6,'a machine:1:1:0',1,1800000015.0);
INSERT INTO "leases" VALUES(7,'a machine:1:1:0',1,1800000015.0);
INSERT INTO "leases" VALUES(8,NULL,2,NULL);
INSERT INTO "leases" VALUES(9,NULL,2,NULL);
INSERT INTO "leases" VALUES(10,'a machine:1:1:0',1,1800000015.0);
INSERT INTO "leases" VALUES(11,NULL,1,NULL);
INSERT INTO "leases" VALUES(12,'a machine:1:1:0',1,1800000015.0);
INSERT INTO "leases" VALUES(13,NULL,1,NULL);
INSERT INTO "leases" VALUES(14,NULL,1,NULL);
INSERT INTO "leases" VALUES(15,'a machine:1:1:0',1,1800000015.0);
INSERT INTO "leases" VALUES(16,NULL,2,NULL);
CREATE TABLE messages (
    n INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE, -- the sender's
    run INTEGER NOT NULL,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    value TEXT,              -- JSON
    at REAL NOT NULL,
    taken INTEGER            -- the last entry of the commit that used it up
) STRICT;
INSERT INTO "messages" VALUES(1,'suspended/fee',8,'signal','paid','12',1800000000.0,NULL);
INSERT INTO "messages" VALUES(2,'suspended/yes',8,'answer','captain','true',1800000000.0,NULL);
INSERT INTO "messages" VALUES(3,'suspended and gone on/fee',9,'signal','paid','12',1800000000.0,12);
INSERT INTO "messages" VALUES(4,'suspended and gone on/yes',9,'answer','captain','true',1800000000.0,12);
CREATE TABLE runs (
    n INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    graph TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    status TEXT NOT NULL,
    target TEXT,
    created REAL NOT NULL,
    error TEXT
, wake REAL, parent TEXT) STRICT;
INSERT INTO "runs" VALUES(1,'finished dag','report','d884a8111e4b','finished',NULL,1800000000.0,NULL,NULL,NULL);
INSERT INTO "runs" VALUES(2,'finished machine','ledger','7cc976c73866','finished',NULL,1800000000.0,NULL,NULL,NULL);
INSERT INTO "runs" VALUES(3,'failed','crossing','573565947bb4','failed',NULL,1800000000.0,'OSError: [Errno 5] a gale, force 9',NULL,NULL);
INSERT INTO "runs" VALUES(4,'failed and mended','crossing','573565947bb4','finished',NULL,1800000000.0,NULL,NULL,NULL);
INSERT INTO "runs" VALUES(5,'cancelled','becalmed','e3914934c1ea','cancelled',NULL,1800000000.0,NULL,NULL,NULL);
INSERT INTO "runs" VALUES(6,'broken off dag','report','d884a8111e4b','running',NULL,1800000000.0,NULL,NULL,NULL);
INSERT INTO "runs" VALUES(7,'broken off machine','ledger','7cc976c73866','running',NULL,1800000000.0,NULL,NULL,NULL);
INSERT INTO "runs" VALUES(8,'suspended','voyage','232b2d168ae1','suspended',NULL,1800000000.0,NULL,NULL,NULL);
INSERT INTO "runs" VALUES(9,'suspended and gone on','voyage','232b2d168ae1','finished',NULL,1800000000.0,NULL,NULL,NULL);
INSERT INTO "runs" VALUES(10,'broken off after an intent','passage','10ba9893e147','running',NULL,1800000000.0,NULL,NULL,NULL);
INSERT INTO "runs" VALUES(11,'paid once','passage','10ba9893e147','finished',NULL,1800000000.0,NULL,NULL,NULL);
INSERT INTO "runs" VALUES(12,'broken off in a node','stores','931e679a29ac','running',NULL,1800000000.0,NULL,NULL,NULL);
INSERT INTO "runs" VALUES(13,'done in parts','stores','931e679a29ac','finished',NULL,1800000000.0,NULL,NULL,NULL);
INSERT INTO "runs" VALUES(14,'forked','report','d884a8111e4b','finished',NULL,1800000000.0,NULL,NULL,'finished dag');
INSERT INTO "runs" VALUES(15,'broken off fork','report','d884a8111e4b','running',NULL,1800000000.0,NULL,NULL,'finished dag');
INSERT INTO "runs" VALUES(16,'rewound','crossing','573565947bb4','finished',NULL,1800000000.0,NULL,NULL,NULL);
CREATE TABLE snapshots (
    run INTEGER PRIMARY KEY REFERENCES runs (n),
    seq INTEGER NOT NULL,
    value TEXT NOT NULL,   -- JSON: the folded state after `seq`
    anchors TEXT           -- JSON: lineage to [seq, start, length], where its newest value stands in `value`
) STRICT;
INSERT INTO "snapshots" VALUES(1,56,'{"format":2,"schema":"d884a8111e4b:cbcd3784f3a4","status":"running","seed":7,"finished":18,"retries":1,"blame":null,"result":null,"strays":[],"asking":[],"awaiting":[],"unknown":[],"models":{},"root":["d",{"text":["\"Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt\"","str"],"factor":["3","int"]},"332001333233233231",{"7":["\"tiny\"","str"],"10":["4","int"],"14":["[4,4]",""],"16":["\"Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 \"","str"],"1":["[{\"word\":\"Ebbe\",\"weight\":12},{\"word\":\"und\",\"weight\":9},{\"word\":\"Flut\",\"weight\":12},{\"word\":\"kommen\",\"weight\":18},{\"word\":\"zweimal\",\"weight\":21},{\"word\":\"am\",\"weight\":6},{\"word\":\"Tag,\",\"weight\":12},{\"word\":\"und\",\"weight\":9},{\"word\":\"niemand\",\"weight\":21},{\"word\":\"hat\",\"weight\":9},{\"word\":\"sie\",\"weight\":9},{\"word\":\"bestellt\",\"weight\":24}]",""]},{"7":"=\"small\""},{"9":["s",1,1,1800000000.0,0.0,0,true,null],"12":["s",1,1,1800000000.0,0.0,0,true,null],"15":["d",{"factor":["3","int"]},"2",{},{},{"0":["s",1,1,1800000000.0,1800000000.1868656,2,false,null]},[],{}],"2":["s",1,1,1800000000.0,0.0,1,false,null]},[9,12],{}],"queues":[[null,[],[]]]}',NULL);
INSERT INTO "snapshots" VALUES(2,202,'{"format":2,"schema":"7cc976c73866:4886c488ff39","status":"running","seed":7,"finished":100,"retries":0,"blame":null,"result":null,"strays":[],"asking":[],"awaiting":[],"unknown":[],"models":{},"root":["m",["{\"page\":50,\"lines\":[\"PAGE 0: 0 € — CARRIED OVER\",\"page 1: 919 € — carried over\",\"page 2: 838 € — carried over\",\"page 3: 757 € — carried over\",\"page 4: 676 € — carried over\",\"PAGE 5: 595 € — CARRIED OVER\",\"page 6: 514 € — carried over\",\"page 7: 433 € — carried over\",\"page 8: 352 € — carried over\",\"page 9: 271 € — carried over\",\"PAGE 10: 190 € — CARRIED OVER\",\"page 11: 109 € — carried over\",\"page 12: 28 € — carried over\",\"page 13: 947 € — carried over\",\"page 14: 866 € — carried over\",\"PAGE 15: 785 € — CARRIED OVER\",\"page 16: 704 € — carried over\",\"page 17: 623 € — carried over\",\"page 18: 542 € — carried over\",\"page 19: 461 € — carried over\",\"PAGE 20: 380 € — CARRIED OVER\",\"page 21: 299 € — carried over\",\"page 22: 218 € — carried over\",\"page 23: 137 € — carried over\",\"page 24: 56 € — carried over\",\"PAGE 25: 975 € — CARRIED OVER\",\"page 26: 894 € — carried over\",\"page 27: 813 € — carried over\",\"page 28: 732 € — carried over\",\"page 29: 651 € — carried over\",\"PAGE 30: 570 € — CARRIED OVER\",\"page 31: 489 € — carried over\",\"page 32: 408 € — carried over\",\"page 33: 327 € — carried over\",\"page 34: 246 € — carried over\",\"PAGE 35: 165 € — CARRIED OVER\",\"page 36: 84 € — carried over\",\"page 37: 3 € — carried over\",\"page 38: 922 € — carried over\",\"page 39: 841 € — carried over\",\"PAGE 40: 760 € — CARRIED OVER\",\"page 41: 679 € — carried over\",\"page 42: 598 € — carried over\",\"page 43: 517 € — carried over\",\"page 44: 436 € — carried over\",\"PAGE 45: 355 € — CARRIED OVER\",\"page 46: 274 € — carried over\",\"page 47: 193 € — carried over\",\"page 48: 112 € — carried over\",\"page 49: 31 € — carried over\"]}","Open#2cb898fa"],{"book":51,"audit":50},100,["s",1,1,1800000000.0,0.0,1,false,null],null],"queues":[[null,[],[]]]}','{".":[201,207,1909,1696,1792]}');
INSERT INTO "snapshots" VALUES(6,56,'{"format":2,"schema":"d884a8111e4b:cbcd3784f3a4","status":"running","seed":7,"finished":18,"retries":1,"blame":null,"result":null,"strays":[],"asking":[],"awaiting":[],"unknown":[],"models":{},"root":["d",{"text":["\"Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt\"","str"],"factor":["3","int"]},"332001333233233231",{"7":["\"tiny\"","str"],"10":["4","int"],"14":["[4,4]",""],"16":["\"Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 \"","str"],"1":["[{\"word\":\"Ebbe\",\"weight\":12},{\"word\":\"und\",\"weight\":9},{\"word\":\"Flut\",\"weight\":12},{\"word\":\"kommen\",\"weight\":18},{\"word\":\"zweimal\",\"weight\":21},{\"word\":\"am\",\"weight\":6},{\"word\":\"Tag,\",\"weight\":12},{\"word\":\"und\",\"weight\":9},{\"word\":\"niemand\",\"weight\":21},{\"word\":\"hat\",\"weight\":9},{\"word\":\"sie\",\"weight\":9},{\"word\":\"bestellt\",\"weight\":24}]",""]},{"7":"=\"small\""},{"9":["s",1,1,1800000000.0,0.0,0,true,null],"12":["s",1,1,1800000000.0,0.0,0,true,null],"15":["d",{"factor":["3","int"]},"2",{},{},{"0":["s",1,1,1800000000.0,1800000000.1868656,2,false,null]},[],{}],"2":["s",1,1,1800000000.0,0.0,1,false,null]},[9,12],{}],"queues":[[null,[],[]]]}',NULL);
INSERT INTO "snapshots" VALUES(7,202,'{"format":2,"schema":"7cc976c73866:4886c488ff39","status":"running","seed":7,"finished":100,"retries":0,"blame":null,"result":null,"strays":[],"asking":[],"awaiting":[],"unknown":[],"models":{},"root":["m",["{\"page\":50,\"lines\":[\"PAGE 0: 0 € — CARRIED OVER\",\"page 1: 919 € — carried over\",\"page 2: 838 € — carried over\",\"page 3: 757 € — carried over\",\"page 4: 676 € — carried over\",\"PAGE 5: 595 € — CARRIED OVER\",\"page 6: 514 € — carried over\",\"page 7: 433 € — carried over\",\"page 8: 352 € — carried over\",\"page 9: 271 € — carried over\",\"PAGE 10: 190 € — CARRIED OVER\",\"page 11: 109 € — carried over\",\"page 12: 28 € — carried over\",\"page 13: 947 € — carried over\",\"page 14: 866 € — carried over\",\"PAGE 15: 785 € — CARRIED OVER\",\"page 16: 704 € — carried over\",\"page 17: 623 € — carried over\",\"page 18: 542 € — carried over\",\"page 19: 461 € — carried over\",\"PAGE 20: 380 € — CARRIED OVER\",\"page 21: 299 € — carried over\",\"page 22: 218 € — carried over\",\"page 23: 137 € — carried over\",\"page 24: 56 € — carried over\",\"PAGE 25: 975 € — CARRIED OVER\",\"page 26: 894 € — carried over\",\"page 27: 813 € — carried over\",\"page 28: 732 € — carried over\",\"page 29: 651 € — carried over\",\"PAGE 30: 570 € — CARRIED OVER\",\"page 31: 489 € — carried over\",\"page 32: 408 € — carried over\",\"page 33: 327 € — carried over\",\"page 34: 246 € — carried over\",\"PAGE 35: 165 € — CARRIED OVER\",\"page 36: 84 € — carried over\",\"page 37: 3 € — carried over\",\"page 38: 922 € — carried over\",\"page 39: 841 € — carried over\",\"PAGE 40: 760 € — CARRIED OVER\",\"page 41: 679 € — carried over\",\"page 42: 598 € — carried over\",\"page 43: 517 € — carried over\",\"page 44: 436 € — carried over\",\"PAGE 45: 355 € — CARRIED OVER\",\"page 46: 274 € — carried over\",\"page 47: 193 € — carried over\",\"page 48: 112 € — carried over\",\"page 49: 31 € — carried over\"]}","Open#2cb898fa"],{"book":51,"audit":50},100,["s",1,1,1800000000.0,0.0,1,false,null],null],"queues":[[null,[],[]]]}','{".":[201,207,1909,1696,1792]}');
INSERT INTO "snapshots" VALUES(14,3,'{"format":2,"schema":"d884a8111e4b:cbcd3784f3a4","status":"running","seed":7,"finished":21,"retries":0,"blame":null,"result":null,"strays":[],"asking":[],"awaiting":[],"unknown":[],"models":{},"root":["d",{"text":["\"Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt\"","str"],"factor":["3","int"]},"333303333233233332",{"7":["\"tiny\"","str"],"10":["4","int"],"14":["[4,4]",""],"16":["\"Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 \"","str"],"1":["[{\"word\":\"Ebbe\",\"weight\":12},{\"word\":\"und\",\"weight\":9},{\"word\":\"Flut\",\"weight\":12},{\"word\":\"kommen\",\"weight\":18},{\"word\":\"zweimal\",\"weight\":21},{\"word\":\"am\",\"weight\":6},{\"word\":\"Tag,\",\"weight\":12},{\"word\":\"und\",\"weight\":9},{\"word\":\"niemand\",\"weight\":21},{\"word\":\"hat\",\"weight\":9},{\"word\":\"sie\",\"weight\":9},{\"word\":\"bestellt\",\"weight\":24}]",""],"5":["\"12 words, und alle sind schön\"","str"],"15":["5","int"]},{"7":"=\"small\"","5":"then"},{"9":["s",0,0,null,0.0,0,true,null],"12":["s",0,0,null,0.0,0,true,null],"17":["s",0,0,null,0.0,0,false,null]},[9,12],{}],"queues":[[null,["assemble"],[]]]}',NULL);
INSERT INTO "snapshots" VALUES(15,3,'{"format":2,"schema":"d884a8111e4b:cbcd3784f3a4","status":"running","seed":7,"finished":21,"retries":0,"blame":null,"result":null,"strays":[],"asking":[],"awaiting":[],"unknown":[],"models":{},"root":["d",{"text":["\"Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt\"","str"],"factor":["3","int"]},"333303333233233332",{"7":["\"tiny\"","str"],"10":["4","int"],"14":["[4,4]",""],"16":["\"Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt 🌊 \"","str"],"1":["[{\"word\":\"Ebbe\",\"weight\":12},{\"word\":\"und\",\"weight\":9},{\"word\":\"Flut\",\"weight\":12},{\"word\":\"kommen\",\"weight\":18},{\"word\":\"zweimal\",\"weight\":21},{\"word\":\"am\",\"weight\":6},{\"word\":\"Tag,\",\"weight\":12},{\"word\":\"und\",\"weight\":9},{\"word\":\"niemand\",\"weight\":21},{\"word\":\"hat\",\"weight\":9},{\"word\":\"sie\",\"weight\":9},{\"word\":\"bestellt\",\"weight\":24}]",""],"5":["\"12 words, und alle sind schön\"","str"],"15":["5","int"]},{"7":"=\"small\"","5":"then"},{"9":["s",0,0,null,0.0,0,true,null],"12":["s",0,0,null,0.0,0,true,null],"17":["s",0,0,null,0.0,0,false,null]},[9,12],{}],"queues":[[null,["assemble"],[]]]}',NULL);
INSERT INTO "snapshots" VALUES(16,8,'{"format":2,"schema":"573565947bb4:3d76e7edba0c","status":"running","seed":7,"finished":1,"retries":0,"blame":null,"result":null,"strays":[],"asking":[],"awaiting":[],"unknown":[],"models":{},"root":["d",{"crew":["10","int"]},"32",{"0":["20","int"]},{},{"1":["s",0,0,null,0.0,0,false,null]},[],{}],"queues":[[null,["sail"],[]]]}',NULL);
CREATE VIEW journal AS
SELECT
    runs.id AS run,
    facts.n & 4294967295 AS seq,
    strftime('%Y-%m-%d %H:%M:%f', facts.at, 'unixepoch') AS at,
    facts.kind,
    facts.step,
    facts.attempt,
    coalesce(facts.value, blobs.text) AS value,
    facts.base AS changes,
    facts.type,
    facts.note,
    facts.error,
    facts.detail
FROM runs
JOIN facts ON facts.n BETWEEN runs.n << 32 AND (runs.n << 32) + 4294967295
LEFT JOIN blobs ON blobs.hash = facts.blob
ORDER BY facts.n;
CREATE INDEX messages_waiting ON messages (run) WHERE taken IS NULL;
CREATE INDEX runs_unfinished ON runs (status) WHERE status IN ('running', 'suspended');
CREATE VIEW steps AS
SELECT
    runs.id AS run,
    spans.step,
    spans.attempts,
    CASE last.kind WHEN 'started' THEN 'running' WHEN 'attempt failed' THEN 'retrying' ELSE last.kind END AS status,
    strftime('%Y-%m-%d %H:%M:%f', first.at, 'unixepoch') AS started,
    CASE WHEN last.kind IN ('finished', 'failed', 'cancelled')
        THEN strftime('%Y-%m-%d %H:%M:%f', last.at, 'unixepoch') END AS finished,
    CASE WHEN last.kind IN ('finished', 'failed', 'cancelled') THEN round(last.at - first.at, 6) END AS seconds,
    CASE last.kind WHEN 'finished' THEN coalesce(last.value, blobs.text) END AS output,
    last.base AS changes,
    last.error
FROM (
    SELECT n >> 32 AS run, step, min(n) AS first, max(n) AS last, max(attempt) AS attempts
    FROM facts
    WHERE kind IN ('started', 'finished', 'attempt failed', 'failed', 'cancelled', 'waiting', 'unknown')
    GROUP BY 1, 2
) AS spans
JOIN runs ON runs.n = spans.run
JOIN facts AS first ON first.n = spans.first
JOIN facts AS last ON last.n = spans.last
LEFT JOIN blobs ON blobs.hash = last.blob
ORDER BY spans.first;
CREATE VIEW waiting AS
SELECT
    runs.id AS run,
    last.step,
    CASE last.kind WHEN 'unknown' THEN 'decision' ELSE json_extract(last.detail, '$.what') END AS waits_for,
    json_extract(last.detail, '$.name') AS name,
    strftime('%Y-%m-%d %H:%M:%f', json_extract(last.detail, '$.until'), 'unixepoch') AS due,
    json_extract(last.note, '$.question') AS question,
    strftime('%Y-%m-%d %H:%M:%f', last.at, 'unixepoch') AS since
FROM (
    SELECT max(facts.n) AS last
    FROM runs
    JOIN facts ON facts.n BETWEEN runs.n << 32 AND (runs.n << 32) + 4294967295
    WHERE runs.status IN ('running', 'suspended')
        AND kind IN ('started', 'finished', 'attempt failed', 'failed', 'cancelled', 'waiting', 'unknown')
    GROUP BY runs.n, step
) AS spans
JOIN facts AS last ON last.n = spans.last
JOIN runs ON runs.n = last.n >> 32
WHERE last.kind IN ('waiting', 'unknown')
ORDER BY last.n;
CREATE VIEW inbox AS
SELECT
    runs.id AS run,
    messages.id AS message,
    messages.kind,
    messages.name,
    messages.value,
    strftime('%Y-%m-%d %H:%M:%f', messages.at, 'unixepoch') AS at
FROM messages
JOIN runs ON runs.n = messages.run
WHERE messages.taken IS NULL
ORDER BY messages.n;
CREATE VIEW overview AS
SELECT
    runs.id AS run,
    runs.graph,
    runs.status,
    strftime('%Y-%m-%d %H:%M:%f', runs.created, 'unixepoch') AS created,
    strftime('%Y-%m-%d %H:%M:%f', coalesce(last.at, runs.created), 'unixepoch') AS updated,
    strftime('%Y-%m-%d %H:%M:%f', runs.wake, 'unixepoch') AS wake,
    leases.driver,
    strftime('%Y-%m-%d %H:%M:%f', leases.until, 'unixepoch') AS lease,
    coalesce(last.n & 4294967295, 0) AS seq,
    runs.parent,
    runs.target,
    runs.error
FROM runs
LEFT JOIN leases ON leases.run = runs.n
LEFT JOIN facts AS last ON last.n =
    (SELECT max(n) FROM facts WHERE n BETWEEN runs.n << 32 AND (runs.n << 32) + 4294967295)
ORDER BY runs.created DESC, runs.n DESC;
COMMIT;
