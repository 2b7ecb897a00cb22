"""Everything that touches the world: processes, sockets, files, compilers.

What each group of modules touches:

- QEMU: ``qemu``, ``qemu_command``, ``qmp``, ``console``, ``readiness``, ``words_of_guest``, ``ending``, ``sandbox``,
  ``pin``, ``host_doing``, ``trace_events``, ``trace_file``, ``count_plugin``, ``gpu_memory``
- displays and pictures: ``display``, ``display_leftovers``, ``virgl``, ``screen``, ``capture``, ``picture_file``,
  ``golden``, ``golden_pictures``, ``oracle``, ``oracle_child``, ``command_oracle``, ``gnuplot``
- kernels: ``build``, ``compile_cache``, ``ringcode``, ``shared_library``, ``shipped``, ``linuxguest``, ``targets``,
  ``target_command``, ``slow_patterns``
- the host: ``host``, ``hostclock``, ``hostload``, ``context_switches``, ``cpus``, ``leases``, ``load``, ``probe``
- files and processes: ``atomic``, ``bounded``, ``locks``, ``store``, ``latest``, ``postgresql``, ``job_note``,
  ``child``, ``beside``, ``pipeline``
"""
