# All commands of this experiment, stage by stage: `bash experiments/synthesis/commands.sh STAGE`, in an empty folder. A stage
# that was stopped goes on where it was.
set -e
here=$(dirname "$(realpath "${BASH_SOURCE[0]}")")
evaluated="dog dog2 dog6 cat cat2 backpack backpack_dog colorful_sneaker shiny_sneaker bear_plushie"
tuned="dog:1 dog:2 cat:1 cat:2 backpack:1 backpack:2 sneaker:1 sneaker:2"
training="model=mini dataset.captions=template dataset.nouns=mini samples=none evaluation=none report=local report.progress=off
    trainer.memory=null trainer.accelerator=cpu outputs=outputs"

world() {
    python -m imprint.miniature export evaluated/ $evaluated --photos 16 --masks --format png --places all --fresh 44
    python -m imprint.miniature export tuned/ $tuned --photos 16 --masks --format png --places all --fresh 20
    python -m imprint.miniature export empty/ dog6 --empty 3
    cp "$here/subjects-evaluated.yaml" evaluated/dataset/subjects.yaml
    cp "$here/subjects-tuned.yaml" tuned/dataset/subjects.yaml
    for who in evaluated/fresh/*; do # the first 24 are tested on; the others are what a data set without limit has
        mkdir -p "evaluated/unlimited/$(basename "$who")"
        mv "$who"/2[4-9].png "$who"/[34]?.png "evaluated/unlimited/$(basename "$who")"
    done
}

# set_of SIDE NAME SHOTS SETTING...: data sets of the evaluated or the tuned subjects, one for each number of shots
set_of() {
    local side=$1 name=$2 shots=$3
    shift 3
    imprint synthesise $training method=lora collection=folders collection.path=$side/dataset images=20 \
        dataset.shots=$shots "out=$side/$name-\${dataset.shots}" "$@"
}

# Other sides, light and dress than the photos have
views=(synthesis_prompts@synthesis.prompts=grammar
    'synthesis.prompts.template="a {identifier} {noun} {accessory} {place} {property}"'
    'synthesis.prompts.properties=["","","",seen from the side,seen from behind,seen from above,at sunset,in dim light]'
    'synthesis.prompts.accessories=["","","",wearing a red hat,wearing a santa hat,wearing a rainbow scarf,in a police outfit]')
large='synthesis.scale=[0.55,0.85]' # as large as subjects of this world are

tuning_sets() {
    set_of tuned paste 1,4 synthesis=paste synthesis.places=empty/places filter=none
    set_of tuned paste_large 1,4 synthesis=paste synthesis.places=empty/places "$large" filter=none
    set_of tuned views 1,4 guidance=2 "${views[@]}"
}
study="imprint study --config-dir $here/conf encoders=mini accelerator=cpu parts=tell learners.resnet.updates=80
    learners.probe.positions=32 learners.probe.decays=[1e-3]"

keep() { python "$here/figures.py" keep "$1" "$2"; }

tuning() {
    for k in 1 4; do
        $study data=[tuned/dataset] test=tuned/fresh "arms=[classical,candidates]" shots=[$k] seeds=[0] out=tuned/study-$k \
            "pictures={paste:tuned/paste-$k,paste_large:tuned/paste_large-$k,views:tuned/views-$k}"
        keep tuned/study-$k tuning-$k
    done
}

# of_others SHOTS: the data sets of the subjects that nothing is chosen on
of_others() {
    set_of evaluated views $1 guidance=2 "${views[@]}"
    set_of evaluated paste $1 synthesis=paste synthesis.places=empty/places "$large" filter=none
}
floor() { set_of evaluated untuned 1 synthesis=untuned filter=none; } # of all numbers of shots

# comparing SHOTS
comparing() {
    local k=$1
    $study data=[evaluated/dataset] test=evaluated/fresh "arms=[real,classical,compared]" shots=[$k] seeds=[0,1,2] \
        out=evaluated/study \
        "pictures={paste:evaluated/paste-$k,views:evaluated/views-$k,truth:evaluated/true,unlimited:evaluated/unlimited}"
    keep evaluated/study compared-$k
}

# How many drawn pictures is a real one worth? More photos alone, and one photo with fewer drawn pictures
worth() {
    local more="" n who
    $study data=[evaluated/dataset] test=evaluated/fresh arms=[classical] shots=[1,2,4,16] seeds=[0,1,2] out=evaluated/study
    keep evaluated/study real-1
    for n in 2 5 15; do
        for who in evaluated/views-1/train/*/; do
            mkdir -p "evaluated/drawn_$n/$(basename "$who")"
            for file in $(ls "$who" | sort -V | head -$n); do
                cp "$who$file" "evaluated/drawn_$n/$(basename "$who")"
            done
        done
        more="$more,drawn_$n:evaluated/drawn_$n"
    done
    $study data=[evaluated/dataset] test=evaluated/fresh arms=[classical,few] shots=[1] seeds=[0,1,2] out=evaluated/study \
        "pictures={${more#,}}"
    keep evaluated/study drawn-1
}

"$@"; exit # on one line: the file may change while it runs
