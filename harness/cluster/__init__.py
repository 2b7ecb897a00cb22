"""Jobs on several hosts: what is shipped, where it runs, and what may go wrong on the way.

- what is shipped: ``bundle``, ``blobs``, ``checkout``, ``parcel``, ``protocol``
- who directs: ``crew``, ``dispatch``, ``placement``, ``roster``, ``suites``
- who works: ``worker``, ``workplace``, ``offers``
- the way between: ``address``, ``dask_engine``, ``local``
- what is shown: ``live``, ``board``
- faults, and clusters that measure nothing: ``faults``, ``outages``, ``rehearsal``
"""
