"""What `make test-quick` runs: for each sub-package the tests that would most likely fail if it were broken."""

QUICK = {
    "test_rooms.py": ("test_imports_between_rooms_only_go_down", "test_there_is_no_circle"),
    "machine/test_env.py": (
        "test_what_the_user_set_stays",
        "test_importing_sets_the_variables_and_does_not_import_mxnet",
    ),
    "networks/test_shapes.py": ("test_the_articles_walk", "test_summary_by_hand"),
    "networks/test_specs.py": ("test_every_name_parses_to_its_own_spec", "test_stage_channels_are_table_1s"),
    "networks/test_blocks.py": ("test_residual_equals_d2ls_forward_and_backward", "test_resnet_block"),
    "byhand/test_byhand_resnet.py": ("test_folding_is_the_convolution_with_scaled_weights_and_a_shifted_bias",),
    "weights/test_weights.py": ("test_article_000s_names_letter_by_letter", "test_a_missing_key"),
    "data/test_batches.py": ("test_pixels_equal_mxnets_to_tensor", "test_the_seed_decides_the_order"),
    "data/test_pictures.py": ("test_a_preparation_gives_its_familys_values",),
    "training/test_train.py": ("test_it_does_what_d2ls_loop_does", "test_one_step_of_sgd_by_hand"),
    "distributed/test_roles.py": ("test_the_variables_of_ps_lite_by_hand",),
    "instruments/test_reconcile.py": ("test_torchvisions_resnet50_against_keras_by_hand",),
    "instruments/test_microscope.py": ("test_the_numbers_of_a_row_by_hand",),
    "editions/test_d2l.py": ("test_batches_are_to_the_bit_those_of_d2ls_own_loader",),
    "editions/test_compiled.py": ("test_the_graph_shares_parameters_and_gives_the_same_gradients",),
    "play/test_formats.py": ("test_a_notebook", "test_d2ls_markdown", "test_an_article_without_fences"),
    "play/test_verdicts.py": ("test_a_walk_is_compared_by_kind_and_shape",),
    "runs/test_table.py": ("test_list_has_every_run_and_names_the_damaged", "test_refusals"),
    "drawing/test_drawing.py": ("test_totals_are_the_published_ones",),
    "benchmarks/test_results.py": ("test_the_table",),
    "benchmarks/test_training.py": ("test_programs_alternate_and_the_files_are_written",),
    "audit/test_confident.py": ("test_the_joint_and_the_doubted_images_are_cleanlabs",),
    "evaluation/test_evaluation.py": ("test_loss_and_accuracies_are_those_counted_by_hand",),
    "lab/test_experiment.py": ("test_every_experiment_of_the_suite_can_be_loaded_and_states_no_default",),
    "report/test_report.py": ("test_structure",),
    "commands/test_commands.py": ("test_reconcile_in_text_csv_and_a_picture",),
}


def is_quick(item, root):
    """Whether the pytest ``item`` is one of QUICK's; ``root`` is the folder tests/."""
    try:
        file = item.path.relative_to(root).as_posix()
    except ValueError:
        return False
    return item.originalname in QUICK.get(file, ())
